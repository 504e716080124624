//! Files whose first line shows that nothing in them can be read as it is, and what to do instead.

/// The first bytes of files that are not text.
const PACKED: [(&[u8], &str); 7] = [
    (
        b"PK\x03\x04",
        "this is a zip archive or a spreadsheet: unpack it (`unzip -p FILE | rightsizer import -`), or export the \
         sheet as CSV",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        "this is packed by Zstandard: unpack it (`zstd -dc FILE | rightsizer import -`)",
    ),
    (
        b"\xfd7zXZ\x00",
        "this is packed by xz: unpack it (`xz -dc FILE | rightsizer import -`)",
    ),
    (
        b"BZh",
        "this is packed by bzip2: unpack it (`bzip2 -dc FILE | rightsizer import -`)",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "this is a 7-Zip archive: unpack it (`7z x -so FILE | rightsizer import -`)",
    ),
    (
        b"PAR1",
        "this is Parquet: export the rows as CSV or JSON, such as by a query in Athena",
    ),
    (
        b"SQLite format 3\x00",
        "this is a SQLite database: if it is a store of rightsizer, name it with --store",
    ),
];

/// The first line of log events or of an Insights query as the command line of AWS prints them in YAML.
const YAML_OF_LOGS: [&str; 3] = ["events:", "- events:", "results:"];

/// Returns why a file with this first line is not read, and what to do; `None` if it may be read. `text` is the line
/// without spaces around it.
pub(super) fn why_not(line: &[u8], text: &str) -> Option<&'static str> {
    if matches!(line, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        return Some("the file is UTF-16 (as > in PowerShell writes it): save it as UTF-8");
    }
    if YAML_OF_LOGS.contains(&text) {
        return Some("this is YAML: run the command with --output json, and import what it prints");
    }
    let packed = PACKED.iter().find(|(begin, _)| line.starts_with(begin));
    packed.map(|(_, why)| *why)
}
