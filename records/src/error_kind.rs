//! What the error type of a failed invocation means.

/// What ended an invocation that failed, by the error type of its report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The runtime or an extension ended or could not start: `Runtime.ExitError`,
    /// `Runtime.ImportModuleError`, `Extension.Crash`.
    Crash,
    /// The runtime's own limit of its heap was reached (`-Xmx`, `--max-old-space-size`), or an allocation
    /// failed. The function's memory need not have been used up.
    HeapLimit,
    /// The function's code returned or threw an error.
    Function,
}

/// Error types of the runtimes that mean that their heap was full. Lambda passes on what the runtime
/// reports: the name of an exception's class.
const HEAP_LIMITS: [&str; 6] = [
    "java.lang.OutOfMemoryError",
    "MemoryError",
    "NoMemoryError",
    "System.OutOfMemoryException",
    "OutOfMemoryException",
    "ERR_WORKER_OUT_OF_MEMORY",
];

/// What Lambda's own error types begin with.
const PLATFORM: [&str; 2] = ["Runtime.", "Extension."];

impl ErrorKind {
    /// Reads an error type as the platform reports it. An unknown one is the function's own.
    pub fn of(error_type: &str) -> Self {
        if HEAP_LIMITS.contains(&error_type) {
            Self::HeapLimit
        } else if PLATFORM.iter().any(|prefix| error_type.starts_with(prefix)) {
            Self::Crash
        } else {
            Self::Function
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_type_separates_a_crash_a_full_heap_and_an_exception() {
        for (error_type, kind) in [
            ("Runtime.ExitError", ErrorKind::Crash),
            ("Runtime.ImportModuleError", ErrorKind::Crash),
            ("Extension.Crash", ErrorKind::Crash),
            ("java.lang.OutOfMemoryError", ErrorKind::HeapLimit),
            ("MemoryError", ErrorKind::HeapLimit),
            ("System.OutOfMemoryException", ErrorKind::HeapLimit),
            ("ValueError", ErrorKind::Function),
            ("RuntimeError", ErrorKind::Function),
            ("", ErrorKind::Function),
        ] {
            assert_eq!(ErrorKind::of(error_type), kind, "{error_type}");
        }
    }
}
