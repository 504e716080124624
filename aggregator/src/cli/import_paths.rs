//! Finds the files for the arguments of `rightsizer import`: files, folders with everything in
//! them, and patterns, for shells that do not expand them.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// A file that CloudWatch's export task writes beside its objects.
const EXPORT_TEST: &str = "aws-logs-write-test";
/// The depth to which folders are read.
const MOST_DEPTH: usize = 32;

/// Why an argument matches no file.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoFile {
    #[error("{0}: this folder has no files")]
    Empty(PathBuf),
    #[error("{0}: no file matches")]
    NoMatch(PathBuf),
    #[error("{0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
}

/// The files that match `argument`, sorted by name.
pub(super) fn files(argument: &Path) -> Result<Vec<PathBuf>, NoFile> {
    if argument == Path::new("-") {
        return Ok(vec![argument.to_owned()]);
    }
    if argument.is_dir() {
        let mut found = Vec::new();
        walk(argument, 0, &mut found)
            .map_err(|error| NoFile::Unreadable(argument.to_owned(), error))?;
        if found.is_empty() {
            return Err(NoFile::Empty(argument.to_owned()));
        }
        return Ok(found);
    }
    if argument.exists() || !is_pattern(&argument.to_string_lossy()) {
        return Ok(vec![argument.to_owned()]);
    }
    let mut found = vec![PathBuf::new()];
    for component in argument.components() {
        found = step(&found, component);
    }
    let mut found: Vec<PathBuf> = found.into_iter().filter(|path| path.is_file()).collect();
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Err(NoFile::NoMatch(argument.to_owned()));
    }
    Ok(found)
}

/// The name for evidence that names no function: that of its file, or for an object of an export
/// task (`PREFIX/TASK/STREAM/000000.gz`) that of its folder.
pub(super) fn name_of(path: &Path) -> String {
    let name = |path: &Path| {
        path.file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    };
    let file = name(path);
    let stem = file.split('.').next().unwrap_or_default();
    if stem.is_empty() || !stem.bytes().all(|b| b.is_ascii_digit()) {
        return file;
    }
    let folders = path.ancestors().skip(1).map(name);
    let is_stream = |folder: &String| folder.contains('[') && folder.contains(']');
    let is_task = |folder: &String| folder.len() == 36 && folder.matches('-').count() == 4;
    let mut above = folders.skip_while(|folder| is_stream(folder) || is_task(folder));
    above
        .next()
        .filter(|folder| !folder.is_empty())
        .unwrap_or(file)
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || name == EXPORT_TEST
}

/// Adds the files of a folder and of those in it. Links to folders are not followed.
fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type()?;
        if is_hidden(&entry.file_name().to_string_lossy()) {
            continue;
        }
        if kind.is_dir() && depth < MOST_DEPTH {
            walk(&entry.path(), depth + 1, found)?;
        } else if entry.path().is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// The paths one component further.
fn step(from: &[PathBuf], component: Component<'_>) -> Vec<PathBuf> {
    let text = component.as_os_str().to_string_lossy();
    let mut found = Vec::new();
    for path in from {
        if text == "**" {
            found.push(path.clone());
            below(path, 0, &mut found);
        } else if is_pattern(&text) {
            let names = names(path).into_iter();
            let fit = names.filter(|name| !is_hidden(name) && matches(&text, name));
            found.extend(fit.map(|name| path.join(name)));
        } else {
            found.push(path.join(component));
        }
    }
    found
}

/// The names in a folder; none if it cannot be read.
fn names(folder: &Path) -> Vec<String> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Adds all folders below one.
fn below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for name in names(folder) {
        let path = folder.join(&name);
        if depth < MOST_DEPTH && !is_hidden(&name) && path.is_dir() && !path.is_symlink() {
            found.push(path.clone());
            below(&path, depth + 1, found);
        }
    }
}

/// Whether a name fits a pattern of `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut from) = (0, 0);
    // The position of the last star, and the end of what it matched.
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(c) if *c == '?' || Some(c) == name.get(from) => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    at = place + 1;
                    from = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(at..)
        .is_none_or(|rest| rest.iter().all(|c| *c == '*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            "a/1.gz",
            "a/b/2.gz",
            "a/b/x.txt",
            "a/.hidden",
            "aws-logs-write-test",
            "c.gz",
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        fs::create_dir(folder.path().join("empty")).unwrap();
        folder
    }

    fn found(folder: &Path, argument: &str) -> Vec<String> {
        let files = files(&folder.join(argument)).unwrap_or_default();
        let inner = files.iter().map(|path| path.strip_prefix(folder).unwrap());
        inner
            .map(|path| path.to_string_lossy().replace('\\', "/"))
            .collect()
    }

    #[test]
    fn folders_and_patterns_mean_files() {
        let tree = tree();
        for (argument, want) in [
            ("", &["a/1.gz", "a/b/2.gz", "a/b/x.txt", "c.gz"][..]),
            ("a/b", &["a/b/2.gz", "a/b/x.txt"]),
            ("a/*.gz", &["a/1.gz"]),
            ("**/*.gz", &["a/1.gz", "a/b/2.gz", "c.gz"]),
            ("?.gz", &["c.gz"]),
            ("a/1.gz", &["a/1.gz"]),
            ("missing", &["missing"]),
        ] {
            assert_eq!(found(tree.path(), argument), want, "{argument}");
        }
        for argument in ["empty", "*.log"] {
            let why = files(&tree.path().join(argument)).unwrap_err().to_string();
            assert!(why.contains("no file"), "{why}");
        }
    }

    #[test]
    fn a_pattern_fits_or_not() {
        for (pattern, name, fits) in [
            ("*.gz", "a.gz", true),
            ("*a*b", "xaaybab", true),
            ("*a*b", "xaayba", false),
            ("?", "\u{fc}", true),
            ("a*", "", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn an_object_of_an_export_task_is_named_by_its_folder() {
        let task = "0123abcd-0000-4000-8000-000000000001";
        for (path, name) in [
            (
                format!("logs/checkout/{task}/2026-11-10-[$LATEST]00aa/000000.gz"),
                "checkout",
            ),
            ("logs/cart.txt".to_owned(), "cart.txt"),
            ("000000.gz".to_owned(), "000000.gz"),
        ] {
            assert_eq!(name_of(Path::new(&path)), name);
        }
    }
}
