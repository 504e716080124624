//! Patches as a person sees them: which lines change.

mod bad;
mod cdk;
mod cloudformation;
mod for_each;
mod ignored;
mod laws;
mod laws_terraform;
mod messages;
mod module;
mod names;
mod programs;
mod serverless;
mod terraform;
mod terraform_json;

use super::*;

/// `checkout` from 1024 to 300, and so on.
fn sizes(wanted: &[(&str, u32)]) -> Vec<Size> {
    wanted.iter().map(|(name, mb)| size(name, *mb)).collect()
}

fn size(name: &str, to: u32) -> Size {
    Size {
        function: format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}"),
        name: name.to_owned(),
        from_mb: Megabytes(1024),
        to_mb: Megabytes(to),
        target_mb: Some(Megabytes(to)),
        id: "0123456789abcdef".to_owned(),
        status: "approved".to_owned(),
        urgent: false,
        stack: None,
        logical_id: None,
    }
}

fn patched(format: Format, text: &str, wanted: &[(&str, u32)]) -> Patch {
    patch(format, text, &sizes(wanted), &Rules::default()).unwrap()
}

/// The lines that are new, and those that are gone, as a diff marks them.
fn changes(before: &str, after: &str) -> Vec<String> {
    let diff = diff("t", before, after);
    let lines = diff.split('\n').filter(|line| {
        (line.starts_with('+') || line.starts_with('-'))
            && !line.starts_with("+++")
            && !line.starts_with("---")
    });
    lines.map(str::to_owned).collect()
}

fn changed(format: Format, text: &str, wanted: &[(&str, u32)]) -> Vec<String> {
    changes(text, &patched(format, text, wanted).text)
}

fn became(patch: &Patch) -> Vec<&Became> {
    patch.rows.iter().map(|row| &row.became).collect()
}

fn why(became: &Became) -> &str {
    match became {
        Became::Left { why, .. } => why,
        other => panic!("{other:?}"),
    }
}
