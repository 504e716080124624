//! One table: template files as people have them, what is right, and what came out. The files are this crate's
//! fixtures, and those of a folder of cases if it is there (`RIGHTSIZER_CASES`, else `../shared/cases` beside the
//! workspace).

use std::path::{Path, PathBuf};

use rightsizer_export::{Became, Format, Rules, Size, patch};
use rightsizer_records::Megabytes;

/// A file, a function that should have 300 MB, and words of the right answer.
struct Case {
    file: &'static str,
    format: Format,
    function: &'static str,
    right: &'static str,
}

const fn case(
    file: &'static str,
    format: Format,
    function: &'static str,
    right: &'static str,
) -> Case {
    Case {
        file,
        format,
        function,
        right,
    }
}

const OWN: [Case; 10] = [
    case(
        "maps.tf",
        Format::Terraform,
        "library-loans",
        "line 8: 1024 → 300",
    ),
    case(
        "maps.tf",
        Format::Terraform,
        "library-search",
        "line 10: left: memory_size is each.value.memory, but for search `merge(",
    ),
    case(
        "maps.tf",
        Format::Terraform,
        "library-tuned",
        "line 30: left: ignore_changes makes",
    ),
    case(
        "maps.tf",
        Format::Terraform,
        "branch-north",
        "missing: aws_lambda_function.branches, line 34 may make it; for_each takes its entries from elsewhere: local.branches is",
    ),
    case(
        "functions.tf.json",
        Format::Terraform,
        "library-index",
        "line 12: 1024 → 300",
    ),
    case(
        "functions.tf.json",
        Format::Terraform,
        "library-audio",
        "line 5: 1024 → 300",
    ),
    case(
        "functions.tf.json",
        Format::Terraform,
        "library-tuned",
        "line 22: left: ignore_changes makes",
    ),
    case(
        "serverless.ts",
        Format::Serverless,
        "library-loans",
        "line 8: left: this is a serverless.ts, which is not patched: set `memorySize: 300`",
    ),
    case(
        "stack.py",
        Format::Cdk,
        "library-loans",
        "line 10: left: this is a CDK app, which is not patched: set `memory_size=300`",
    ),
    case(
        "sst.config.ts",
        Format::Serverless,
        "library-loans",
        "line 6: left: this is an SST configuration, which is not patched: set `memory: \"300 MB\"`",
    ),
];

const SHARED: [Case; 5] = [
    case(
        "t02_terraform.tf.json",
        Format::Terraform,
        "shop-solo",
        "line 6: 1024 → 300",
    ),
    case(
        "t03_foreach.tf",
        Format::Terraform,
        "shop-alpha",
        "line 3: 1024 → 300",
    ),
    case(
        "t03_foreach.tf",
        Format::Terraform,
        "shop-beta",
        "line 4: 1024 → 300",
    ),
    case(
        "t03_foreach.tf",
        Format::Terraform,
        "shop-solo",
        "line 21: left: ignore_changes makes",
    ),
    case(
        "t04_serverless.ts",
        Format::Serverless,
        "shop-solo",
        "line 4: left: this is a serverless.ts, which is not patched: set `memorySize: 300`",
    ),
];

/// What came out, in one line.
fn outcome(of: &Case, text: &str) -> String {
    let size = Size {
        function: format!("local:{}", of.function),
        name: of.function.to_owned(),
        from_mb: Megabytes(1024),
        to_mb: Megabytes(300),
        target_mb: None,
        id: String::new(),
        status: "approved".to_owned(),
        urgent: false,
        stack: None,
        logical_id: None,
    };
    let patch = match patch(
        of.format,
        text,
        std::slice::from_ref(&size),
        &Rules::default(),
    ) {
        Ok(patch) => patch,
        Err(refused) => return format!("refused: {refused}"),
    };
    let changed = matches!(
        patch.rows.first().map(|row| &row.became),
        Some(Became::Changed { .. })
    );
    assert_eq!(changed, patch.text != text, "{}: {patch:?}", of.file);
    match patch.rows.into_iter().next().map(|row| row.became) {
        Some(Became::Changed { line, from, to, .. }) => {
            format!("line {line}: {} → {to}", from.unwrap_or_default())
        }
        Some(Became::Already { line }) => format!("line {line}: already"),
        Some(Became::Left { line, why }) => format!("line {line}: left: {why}"),
        Some(Became::Missing { hint }) => format!("missing: {}", hint.unwrap_or_default()),
        None => "no answer".to_owned(),
    }
}

/// Prints the rows of a folder, and returns those that are not right.
fn rows(folder: &Path, cases: &[Case]) -> std::io::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for of in cases {
        let text = std::fs::read_to_string(folder.join(of.file))?;
        let came = outcome(of, &text);
        let right = came.starts_with(of.right);
        let mark = if right { "ok" } else { "WRONG" };
        println!(
            "{mark:5} | {:22} | {:15} | {} | {came}",
            of.file, of.function, of.right
        );
        if !right {
            wrong.push(format!("{} {}: {came}", of.file, of.function));
        }
    }
    Ok(wrong)
}

#[test]
fn every_case_comes_out_right() -> std::io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    println!("      | file | function | right | came out");
    let mut wrong = rows(&here.join("tests/fixtures"), &OWN)?;
    let shared = std::env::var_os("RIGHTSIZER_CASES")
        .map_or_else(|| here.join("../../../shared/cases"), PathBuf::from);
    if shared.is_dir() {
        wrong.extend(rows(&shared, &SHARED)?);
    } else {
        println!("no shared cases: only this crate's fixtures were tried");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}
