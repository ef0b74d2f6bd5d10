//! The `selaras-cloud` binary: a thin door to [`selaras_cloud::cli`].

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match selaras_cloud::cli::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("selaras-cloud: {error:#}");
            ExitCode::FAILURE
        }
    }
}
