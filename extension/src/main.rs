//! The extension's executable: reads its settings, lives until SHUTDOWN.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use rightsizer_extension::config::Config;
use rightsizer_extension::session;

fn main() -> ExitCode {
    // Lambda knows an extension by the name of its file.
    let path = std::env::args_os().next().map(PathBuf::from);
    let path = path.unwrap_or_default();
    let file_name = path.file_name().and_then(|name| name.to_str());
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == "--version")
    {
        let version = env!("CARGO_PKG_VERSION");
        let _ = writeln!(std::io::stdout(), "rightsizer-extension {version}");
        return ExitCode::SUCCESS;
    }
    let config = Config::read(|name| std::env::var(name).ok());
    match session::live(&config, file_name.unwrap_or("rightsizer-extension")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // If stderr is closed, `eprintln!` would panic.
            let _ = writeln!(std::io::stderr(), "rightsizer-extension: {}", why.text);
            ExitCode::from(why.exit_code)
        }
    }
}
