//! Whatever a template looks like: only memory changes, and once is enough.

use proptest::prelude::*;

use super::*;

/// How a function declares its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Declared {
    Plain,
    Quoted,
    Not,
    ByReference,
    /// As a number that Terraform ignores.
    Ignored,
}

/// A function of a made-up template. `memory` is right after its name, as a new line is too.
#[derive(Debug, Clone)]
pub(super) struct Function {
    pub(super) declared: Declared,
    pub(super) mb: u32,
    pub(super) comment: String,
    /// Of its name.
    pub(super) quote: bool,
    pub(super) more: u8,
    /// What it should have, if anything.
    pub(super) wanted: Option<u32>,
}

/// A template's layout.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) indent: usize,
    pub(super) end: &'static str,
    pub(super) last_end: bool,
    pub(super) mark: bool,
}

pub(super) fn function() -> impl Strategy<Value = Function> {
    let declared = prop_oneof![
        3 => Just(Declared::Plain), 1 => Just(Declared::Quoted), 2 => Just(Declared::Not), 1 => Just(Declared::ByReference),
    ];
    let wanted = proptest::option::weighted(0.7, 128_u32..=10_240);
    (
        declared,
        128_u32..=10_240,
        "[ -~äß€😀]{0,12}",
        any::<bool>(),
        0_u8..8,
        wanted,
    )
        .prop_map(|(declared, mb, comment, quote, more, wanted)| Function {
            declared,
            mb,
            comment: comment.replace(['\\', '"'], "_"),
            quote,
            more,
            wanted,
        })
}

pub(super) fn layout() -> impl Strategy<Value = Layout> {
    (
        1_usize..6,
        prop_oneof![Just("\n"), Just("\r\n")],
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(indent, end, last_end, mark)| Layout {
            indent,
            end,
            last_end,
            mark,
        })
}

impl Layout {
    pub(super) fn finish(self, lines: &[(usize, String)]) -> String {
        let lines: Vec<String> = lines
            .iter()
            .map(|(depth, line)| format!("{}{line}", " ".repeat(self.indent * depth)))
            .collect();
        let mark = if self.mark { "\u{feff}" } else { "" };
        let last = if self.last_end { self.end } else { "" };
        format!("{mark}{}{last}", lines.join(self.end))
    }
}

/// The memory as written, before or after the patch; `None` if there is none.
pub(super) fn written(of: &Function, after: bool, reference: &str) -> Option<String> {
    let mb = of.wanted.filter(|_| after).unwrap_or(of.mb);
    match of.declared {
        Declared::Plain => Some(mb.to_string()),
        Declared::Quoted => Some(format!("\"{mb}\"")),
        Declared::ByReference => Some(reference.to_owned()),
        Declared::Ignored => Some(of.mb.to_string()),
        Declared::Not => of.wanted.filter(|_| after).map(|mb| mb.to_string()),
    }
}

fn yaml(functions: &[Function], layout: Layout, after: bool) -> String {
    let mut lines = vec![(0, "# head".to_owned()), (0, "Resources:".to_owned())];
    for (n, of) in functions.iter().enumerate() {
        let quote = if of.quote { "'" } else { "" };
        lines.push((1, format!("F{n}: # {}", of.comment)));
        lines.push((2, "Type: AWS::Lambda::Function".to_owned()));
        lines.push((2, "Properties:".to_owned()));
        if of.more & 1 > 0 {
            lines.push((3, "Role: !GetAtt  R.Arn".to_owned()));
            lines.push((3, format!("Description: >- # {}", of.comment)));
            lines.push((4, "MemorySize: 1".to_owned()));
        }
        lines.push((
            3,
            format!("FunctionName: {quote}f{n}{quote}  # {}", of.comment),
        ));
        if let Some(memory) = written(of, after, "!Ref Mem") {
            let spaces = if of.declared == Declared::Not {
                1
            } else {
                1 + usize::from(of.more)
            };
            lines.push((3, format!("MemorySize:{}{memory}", " ".repeat(spaces))));
        }
        if of.more & 2 > 0 {
            lines.push((3, "Environment: {Variables: {MemorySize: 1}}".to_owned()));
        }
        if of.more & 4 > 0 {
            lines.push((0, String::new()));
        }
    }
    layout.finish(&lines)
}

fn json(functions: &[Function], layout: Layout, after: bool) -> String {
    let mut lines = vec![(0, "{".to_owned()), (1, "\"Resources\": {".to_owned())];
    for (n, of) in functions.iter().enumerate() {
        let comma = if n + 1 < functions.len() { "," } else { "" };
        lines.push((
            2,
            format!("\"F{n}\": {{ \"Type\": \"AWS::Lambda::Function\", \"Properties\": {{"),
        ));
        if let Some(memory) = written(of, after, "{ \"Ref\": \"Mem\" }") {
            lines.push((3, format!("\"MemorySize\": {memory},")));
        }
        lines.push((
            3,
            format!("\"Description\": \"MemorySize: 1 {}\",", of.comment),
        ));
        lines.push((3, format!("\"FunctionName\": \"f{n}\"")));
        lines.push((2, format!("}} }}{comma}")));
    }
    lines.extend([(1, "}".to_owned()), (0, "}".to_owned())]);
    layout.finish(&lines)
}

fn hcl(functions: &[Function], layout: Layout, after: bool) -> String {
    let mut lines = vec![(0, "/* head */".to_owned())];
    for (n, of) in functions.iter().enumerate() {
        lines.push((0, format!("# {}", of.comment)));
        lines.push((0, format!("resource \"aws_lambda_function\" \"f{n}\" {{")));
        lines.push((1, format!("function_name = \"f{n}\" // {}", of.comment)));
        if let Some(memory) = written(of, after, "var.memory_size") {
            lines.push((1, format!("memory_size   = {memory}")));
        }
        if of.more & 1 > 0 {
            lines.push((1, "tags = { memory_size = 1024 }".to_owned()));
        }
        if of.more & 2 > 0 {
            lines.push((1, "environment {".to_owned()));
            lines.push((2, "variables = { A = \"${var.a}\" }".to_owned()));
            lines.push((1, "}".to_owned()));
        }
        lines.push((0, "}".to_owned()));
    }
    layout.finish(&lines)
}

fn serverless(functions: &[Function], layout: Layout, after: bool) -> String {
    let mut lines = vec![
        (0, "service: shop".to_owned()),
        (0, "provider: {name: aws, memorySize: 127}".to_owned()),
        (0, "functions:".to_owned()),
    ];
    for (n, of) in functions.iter().enumerate() {
        lines.push((1, format!("f{n}: # {}", of.comment)));
        if of.quote {
            lines.push((2, format!("name: f{n}")));
        } else {
            lines.push((2, format!("name: \"f{n}\"")));
        }
        if let Some(memory) = written(of, after, "${self:custom.memorySize}") {
            lines.push((2, format!("memorySize: {memory}")));
        }
        lines.push((2, "events: [{http: 'GET /'}]".to_owned()));
    }
    layout.finish(&lines)
}

fn wanted(functions: &[Function]) -> Vec<Size> {
    let named = functions.iter().enumerate();
    let mut all: Vec<Size> = named
        .filter_map(|(n, of)| Some(size(&format!("f{n}"), of.wanted?)))
        .collect();
    all.push(size("elsewhere", 300));
    all
}

/// Exactly the memory of those that are wanted is another, by bytes; a second run finds nothing to do.
pub(super) fn holds(
    format: Format,
    functions: &[Function],
    before: &str,
    after: &str,
) -> Result<(), TestCaseError> {
    let wanted = wanted(functions);
    let patch = patch(format, before, &wanted, &Rules::default());
    let patch = patch.map_err(|e| TestCaseError::fail(format!("{e}\n{before}")))?;
    prop_assert_eq!(&patch.text, after);
    for (size, row) in wanted.iter().zip(&patch.rows) {
        let of = size.name.strip_prefix('f').and_then(|n| n.parse().ok());
        let of = of.and_then(|n: usize| functions.get(n));
        let right = match (of.map(|of| of.declared), &row.became) {
            (Some(Declared::ByReference | Declared::Ignored), Became::Left { .. })
            | (None, Became::Missing { hint: None }) => true,
            (Some(_), Became::Changed { to, .. }) => *to == size.to_mb.0,
            (Some(_), Became::Already { .. }) => of.map(|of| of.mb) == Some(size.to_mb.0),
            _ => false,
        };
        prop_assert!(right, "{:?} {:?}", row, of);
    }
    let again = super::patch(format, after, &wanted, &Rules::default());
    prop_assert_eq!(again.map(|patch| patch.text), Ok(after.to_owned()));
    Ok(())
}

proptest! {
    #[test]
    fn only_memory_changes_in_yaml(functions in prop::collection::vec(function(), 1..6), layout in layout()) {
        let (before, after) = (yaml(&functions, layout, false), yaml(&functions, layout, true));
        holds(Format::CloudFormation, &functions, &before, &after)?;
    }

    #[test]
    fn only_memory_changes_in_json(functions in prop::collection::vec(function(), 1..6), layout in layout()) {
        let layout = Layout { mark: false, ..layout };
        let (before, after) = (json(&functions, layout, false), json(&functions, layout, true));
        holds(Format::CloudFormation, &functions, &before, &after)?;
    }

    #[test]
    fn only_memory_changes_in_hcl(functions in prop::collection::vec(function(), 1..6), layout in layout()) {
        let (before, after) = (hcl(&functions, layout, false), hcl(&functions, layout, true));
        holds(Format::Terraform, &functions, &before, &after)?;
    }

    #[test]
    fn only_memory_changes_in_serverless(functions in prop::collection::vec(function(), 1..6), layout in layout()) {
        let (before, after) = (serverless(&functions, layout, false), serverless(&functions, layout, true));
        holds(Format::Serverless, &functions, &before, &after)?;
    }

    /// Whatever the bytes are: an answer, never a panic, and no change without a function to change.
    #[test]
    fn garbage_is_answered(text in "([ -~\n\t{}\\[\\]:#&*!|>'\"]|Resources:|functions:|Type|AWS::Lambda::Function){0,60}") {
        for format in [Format::Terraform, Format::CloudFormation, Format::Sam, Format::Serverless] {
            if let Ok(patch) = patch(format, &text, &sizes(&[("nobody", 300)]), &Rules::default()) {
                prop_assert_eq!(&patch.text, &text);
            }
        }
    }
}
