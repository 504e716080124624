//! Lists that AWS returns page by page.

/// One page of something, and where the next one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// How to ask for the next one; `None` on the last.
    pub next: Option<String>,
}
