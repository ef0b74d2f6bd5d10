//! The plugins that are built into the binary, as the build encoded them. They go through the same door as any file.

include!(concat!(env!("OUT_DIR"), "/bundle.rs"));
