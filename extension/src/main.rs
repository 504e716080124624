//! The extension's executable: reads its settings, lives until SHUTDOWN.

use std::path::Path;
use std::process::ExitCode;

use rightsizer_extension::config::Config;
use rightsizer_extension::session;

fn main() -> ExitCode {
    // Lambda knows an extension by the name of its file.
    let path = std::env::args().next().unwrap_or_default();
    let file_name = Path::new(&path).file_name().and_then(|name| name.to_str());
    let config = Config::read(|name| std::env::var(name).ok());
    match session::live(&config, file_name.unwrap_or("rightsizer-extension")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("rightsizer-extension: {}", why.text);
            ExitCode::from(why.exit_code)
        }
    }
}
