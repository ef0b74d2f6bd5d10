//! The `selaras` binary: a thin door to [`selaras::cli`].

/// The store and JSON are many short-lived pieces handed from thread to thread. The C library's allocator takes a
/// quarter of the time for that, and keeps twice the memory. How it is set up is in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    selaras::cli::main()
}
