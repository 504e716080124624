//! Scenes that a machine cannot set: such a test is counted at the end of `make test`, neither as passed nor
//! as failed.

use std::fs::File;

use anyhow::Result;

/// The file that collects the tests that were not played, a line each. If it is not set, such a test fails.
const FILE: &str = "RIGHTSIZER_NOT_PLAYED";

/// What this machine does not have and `make tools` cannot bring: an error that the product did not cause.
#[derive(Debug)]
pub struct Missing(pub String);

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// Returns the scene. If the machine cannot set it, notes the running test and the reason, and returns none.
///
/// # Errors
/// If it failed for another reason, or nothing collects what is not played.
pub fn or_not_played<T>(scene: Result<T>) -> Result<Option<T>> {
    let file = std::env::var_os(FILE)
        .map(|path| File::options().append(true).create(true).open(path))
        .transpose()?;
    judge(scene, file)
}

fn judge<T>(scene: Result<T>, notes: Option<impl std::io::Write>) -> Result<Option<T>> {
    let error = match scene {
        Ok(scene) => return Ok(Some(scene)),
        Err(error) => error,
    };
    let missing = error.chain().find_map(|cause| cause.downcast_ref());
    let (Some(Missing(why)), Some(mut notes)) = (missing, notes) else {
        return Err(error);
    };
    let thread = std::thread::current();
    let program = std::env::current_exe()?;
    let program = program.file_stem().unwrap_or_default().to_string_lossy();
    let program = program.rsplit_once('-').map_or(&*program, |(name, _)| name);
    let test = thread.name().unwrap_or("a test");
    // In one call: several programs write to it.
    notes.write_all(format!("{program}::{test}: {why}\n").as_bytes())?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    fn missing() -> Result<u8> {
        Err(Missing("no cgroup".to_owned())).context("a small share")
    }

    #[test]
    fn only_what_is_missing_is_noted_and_only_if_it_is_collected() {
        let mut notes = Vec::new();
        assert_eq!(judge(missing(), Some(&mut notes)).unwrap(), None);
        let noted = "rightsizer_tests::scene::tests::only_what_is_missing_is_noted_and_only_if_it_is_collected: no cgroup\n";
        assert_eq!(String::from_utf8(notes.clone()).unwrap(), noted);

        assert!(judge(Err::<u8, _>(anyhow!("a fault")), Some(&mut notes)).is_err());
        assert!(judge(missing(), None::<Vec<u8>>).is_err());
        assert_eq!(judge(Ok(1), Some(&mut notes)).unwrap(), Some(1));
        assert_eq!(notes.len(), noted.len());
    }
}
