//! Programs that make functions: CDK, Pulumi, SST, `serverless.ts`. Which function a line makes is
//! known only when the program runs, so none is patched. They are recognised, and the change is
//! described.

use super::edit::{Became, Row};
use super::node::line_of;
use super::{Format, Size};

/// A kind of program.
#[derive(Debug)]
struct Program {
    /// Texts that only such a program has.
    marks: &'static [&'static str],
    what: &'static str,
    /// How it sets a size: what stands before and behind the number.
    setting: (&'static str, &'static str),
    /// What can be done instead.
    instead: &'static str,
}

const CONTEXT: &str =
    "; or let it read sizes from the context of cdk.json, which --template cdk.json patches";
const VALUES: &str = "; or let it read the values, which an export without --template writes";

/// In this order: a Pulumi program may use a part of CDK, a CDK app for Terraform is one of both.
const PROGRAMS: [Program; 16] = [
    Program {
        marks: &[
            "from cdktf import",
            "import cdktf",
            "from imports.aws",
            "from cdktf_cdktf_provider",
        ],
        what: "a program of CDK for Terraform",
        setting: ("memory_size=", ""),
        instead: VALUES,
    },
    Program {
        marks: &["cdktf\"", "cdktf'", "@cdktf/"],
        what: "a program of CDK for Terraform",
        setting: ("memorySize: ", ""),
        instead: VALUES,
    },
    Program {
        marks: &["sst.aws.", "$config("],
        what: "an SST configuration",
        setting: ("memory: \"", " MB\""),
        instead: VALUES,
    },
    Program {
        marks: &[
            "\"sst/constructs\"",
            "'sst/constructs'",
            "@serverless-stack/",
        ],
        what: "an SST configuration",
        setting: ("memorySize: ", ""),
        instead: VALUES,
    },
    Program {
        marks: &["\"@pulumi/", "'@pulumi/"],
        what: "a Pulumi program",
        setting: ("memorySize: ", ""),
        instead: VALUES,
    },
    Program {
        marks: &["import pulumi", "from pulumi"],
        what: "a Pulumi program",
        setting: ("memory_size=", ""),
        instead: VALUES,
    },
    Program {
        marks: &["github.com/pulumi/"],
        what: "a Pulumi program",
        setting: ("MemorySize: pulumi.Int(", ")"),
        instead: VALUES,
    },
    Program {
        marks: &["using Pulumi"],
        what: "a Pulumi program",
        setting: ("MemorySize = ", ""),
        instead: VALUES,
    },
    Program {
        marks: &["import com.pulumi."],
        what: "a Pulumi program",
        setting: (".memorySize(", ")"),
        instead: VALUES,
    },
    Program {
        marks: &[
            "type: aws:lambda:Function",
            "type: aws:lambda/function:Function",
        ],
        what: "a Pulumi program in YAML",
        setting: ("memorySize: ", ""),
        instead: "",
    },
    Program {
        marks: &["from aws_cdk", "import aws_cdk"],
        what: "a CDK app",
        setting: ("memory_size=", ""),
        instead: CONTEXT,
    },
    Program {
        marks: &["import software.amazon.awscdk."],
        what: "a CDK app",
        setting: (".memorySize(", ")"),
        instead: CONTEXT,
    },
    Program {
        marks: &["using Amazon.CDK"],
        what: "a CDK app",
        setting: ("MemorySize = ", ""),
        instead: CONTEXT,
    },
    Program {
        marks: &["github.com/aws/aws-cdk-go/"],
        what: "a CDK app",
        setting: ("MemorySize: jsii.Number(", ")"),
        instead: CONTEXT,
    },
    CDK,
    Program {
        marks: &["@serverless/typescript"],
        what: "a serverless.ts",
        ..SERVERLESS
    },
];

const CDK: Program = Program {
    marks: &["\"aws-cdk-lib", "'aws-cdk-lib", "\"@aws-cdk/", "'@aws-cdk/"],
    what: "a CDK app",
    setting: ("memorySize: ", ""),
    instead: CONTEXT,
};

const SERVERLESS: Program = Program {
    marks: &[],
    what: "a serverless.js or serverless.ts",
    setting: ("memorySize: ", ""),
    instead: VALUES,
};

const GENERATED: Program = Program {
    marks: &[],
    what: "JSON that CDK for Terraform generates again before each deployment",
    setting: ("memorySize: ", ""),
    instead: ", in the program that generates it",
};

/// No kind that is known.
const OTHER: Program = Program {
    marks: &[],
    what: "a program",
    setting: ("memorySize: ", ""),
    instead: VALUES,
};

/// What a line of JavaScript or TypeScript begins with.
const SCRIPT: [&str; 8] = [
    "import ",
    "export ",
    "const ",
    "let ",
    "var ",
    "module.exports",
    "exports.",
    "new ",
];

/// What a line of a template begins with. A template that cannot be read may hold programs in its texts.
const TEMPLATE: [&str; 7] = [
    "resource \"",
    "module \"",
    "Resources:",
    "AWSTemplateFormatVersion",
    "Transform:",
    "service:",
    "functions:",
];

/// The program that a text is. Call it only for a text that is not a template, because templates
/// may quote programs.
fn recognised(format: Format, text: &str) -> Option<&'static Program> {
    let has = |mark: &str| text.contains(mark);
    let begins = |of: &[&str]| {
        let mut lines = text.lines();
        lines.any(|line| of.iter().any(|begin| line.starts_with(begin)))
    };
    if text.trim_start().starts_with('{') {
        return (has("\"//\"") && has("\"stackName\"")).then_some(&GENERATED);
    }
    if text.trim().is_empty() || begins(&TEMPLATE) {
        return None;
    }
    let mut programs = PROGRAMS.iter();
    let known = programs.find(|of| of.marks.iter().any(|mark| has(mark)));
    let is_script = begins(&SCRIPT);
    let is_service = has("functions") && (has("provider") || has("service"));
    match format {
        _ if known.is_some() => known,
        Format::Cdk if is_script || has("Function") => Some(&CDK),
        _ if is_script && (is_service || format == Format::Serverless) => Some(&SERVERLESS),
        _ if is_script => Some(&OTHER),
        _ => None,
    }
}

/// The messages for each size if the text is a program: the line that names its function, and what
/// to set there.
pub(super) fn rows(format: Format, text: &str, sizes: &[Size]) -> Option<Vec<Row>> {
    let program = recognised(format, text)?;
    Some(sizes.iter().map(|size| row(program, text, size)).collect())
}

fn row(program: &Program, text: &str, size: &Size) -> Row {
    let (before, behind) = program.setting;
    let set = format!("set `{before}{}{behind}`", size.to_mb.0);
    let what = program.what;
    let instead = program.instead;
    let became = match named(text, &size.name) {
        Some(line) => Became::Left {
            line,
            why: format!("this is {what}, which is not patched: {set} for this function{instead}"),
        },
        None => Became::Missing {
            hint: Some(format!(
                "this is {what}, which names its functions when it runs: {set} if it makes this \
                 function{instead}"
            )),
        },
    };
    Row {
        function: size.function.clone(),
        label: None,
        file: None,
        became,
    }
}

/// The line that has the name in quotes, comments left out.
fn named(text: &str, name: &str) -> Option<usize> {
    let quoted = ['"', '\'', '`'].map(|quote| format!("{quote}{name}{quote}"));
    let comment = |line: &str| {
        let line = line.trim_start();
        ["//", "#", "*", "/*"].iter().any(|of| line.starts_with(of))
    };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if !comment(line) && quoted.iter().any(|name| line.contains(name.as_str())) {
            return Some(line_of(text, at));
        }
        at += line.len();
    }
    None
}
