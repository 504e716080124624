//! Every refusal as the user reads it.

use crate::error::Refused;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Those about the file as a whole.
fn of_files() -> Vec<Refused> {
    let unreadable = Refused::Unreadable {
        what: "YAML",
        line: 7,
        why: "a tab".into(),
    };
    vec![
        Refused::InFile {
            file: "main.tf".into(),
            refused: Box::new(unreadable),
        },
        Refused::Override,
        Refused::Empty,
        Refused::SeveralDocuments { line: 12 },
        Refused::KeyTwice {
            key: "MemorySize".into(),
            line: 9,
        },
        Refused::OtherKind {
            wanted: "SAM template",
            why: "it has no Transform".into(),
        },
        Refused::NoFunction {
            looked_for: "AWS::Lambda::Function",
        },
    ]
}

/// Those about functions and their declarations.
fn of_functions() -> Vec<Refused> {
    vec![
        Refused::FunctionTwice {
            function: "shop-checkout".into(),
            places: names(&["A (line 3)", "B (line 9)"]),
            do_this: "remove one",
        },
        Refused::PlaceTwice {
            place: "Checkout (line 3)".into(),
            label: "Checkout".into(),
            functions: names(&["shop-checkout", "shop-invoice"]),
        },
        Refused::SeveralEnvironments {
            what: "regions",
            found: names(&["eu-west-1", "us-east-1"]),
            option: "--region",
        },
        Refused::UnknownLabel {
            label: "Chekout".into(),
            known: names(&["Checkout", "Invoice"]),
        },
        Refused::MapContradicts {
            label: "Checkout".into(),
            function: "shop-checkout".into(),
            name: "shop-basket".into(),
            line: 3,
        },
        Refused::NameTwice {
            name: "CheckoutMemorySize".into(),
            functions: names(&["shop-checkout", "shop-invoice"]),
        },
        Refused::Unsafe("line 3 is not 300".into()),
    ]
}

#[test]
fn every_refusal_is_reviewed() {
    let all = [of_files(), of_functions()].concat();
    let text: Vec<String> = all.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(text.join("\n\n"));
}
