//! The `selaras` binary: a thin door to [`selaras::cli`].

fn main() -> std::process::ExitCode {
    selaras::cli::main()
}
