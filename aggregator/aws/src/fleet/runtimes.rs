//! Decides by the name of a runtime whether its environment runs the layer. Does no IO.

/// Whether a runtime's environment runs the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It starts the extension.
    Runs,
    /// It is older than extensions.
    NoExtensions,
    /// Its operating system is unknown, and an extension that cannot be loaded fails every invocation.
    Unknown,
}

/// Families whose environment is Amazon Linux. The layer is built for the oldest one in use, with glibc 2.17, and
/// newer ones load it too.
const FAMILIES: [&str; 8] = [
    "dotnet",
    "dotnetcore",
    "go",
    "java",
    "nodejs",
    "provided",
    "python",
    "ruby",
];

/// Runtimes that do not start extensions.
/// Source: Lambda developer guide, the runtimes that the Extensions API supports.
const BEFORE_EXTENSIONS: [&str; 12] = [
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "go1.x",
    "java8",
    "nodejs",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "python2.7",
    "python3.6",
];

/// Returns whether `runtime` runs the layer; `None` is a function without a runtime.
pub(super) fn fit(runtime: Option<&str>) -> Fit {
    let Some(runtime) = runtime else {
        return Fit::Unknown;
    };
    let letters = runtime
        .find(|c: char| !c.is_ascii_lowercase())
        .unwrap_or(runtime.len());
    let (family, version) = runtime.split_at(letters);
    match () {
        () if BEFORE_EXTENSIONS.contains(&runtime) => Fit::NoExtensions,
        () if runtime == "provided" => Fit::Runs,
        () if FAMILIES.contains(&family) && is_version(version) => Fit::Runs,
        () => Fit::Unknown,
    }
}

/// Returns whether `text` is a version such as `3.13`, `22.x`, `8.al2` or `.al2023`.
fn is_version(text: &str) -> bool {
    let mut parts = text.trim_start_matches('.').split('.');
    !text.is_empty()
        && parts.all(|part| part == "x" || part.trim_start_matches("al").parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every name of the enumeration `Runtime` of botocore 1.44.
    #[test]
    fn every_runtime_of_the_service_has_its_answer() {
        let runs = "nodejs10.x nodejs12.x nodejs14.x nodejs16.x nodejs18.x nodejs20.x nodejs22.x \
                    nodejs24.x nodejs26.x java8.al2 java8.al2023 java11 java11.al2023 java17 \
                    java17.al2023 java21 java25 python3.7 python3.8 python3.9 python3.10 python3.11 \
                    python3.12 python3.13 python3.14 python3.15 dotnetcore3.1 dotnet6 dotnet8 dotnet10 \
                    ruby2.5 ruby2.7 ruby3.2 ruby3.3 ruby3.4 ruby4.0 provided provided.al2 \
                    provided.al2023";
        for runtime in runs.split_whitespace() {
            assert_eq!(fit(Some(runtime)), Fit::Runs, "{runtime}");
        }
        for runtime in BEFORE_EXTENSIONS {
            assert_eq!(fit(Some(runtime)), Fit::NoExtensions, "{runtime}");
        }
        // A custom operating system, and runtimes that do not exist yet.
        for runtime in ["custom", "swift6.0", "python", "nodejs22.x-edge", ""] {
            assert_eq!(fit(Some(runtime)), Fit::Unknown, "{runtime}");
        }
        assert_eq!(fit(None), Fit::Unknown);
    }
}
