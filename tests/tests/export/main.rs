//! `rightsizer export` on templates of each kind, held to the tools of others: patched, read back by
//! cfn-lint, `PyYAML` or python-hcl2, and only memory is another.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rightsizer_tests::aggregator::{Aggregator, rightsizer};
use serde_json::{Value, json};

/// A template and what is to become of it.
struct Case {
    format: &'static str,
    template: &'static str,
    /// What reads it: an argument of `read.py`.
    read_by: &'static str,
    /// Functions of 1024 MB, and the size that each should have.
    wanted: &'static [(&'static str, u32)],
    more: &'static [&'static str],
    /// Blocks with the key and the number that it is to hold.
    changes: &'static [(&'static str, &'static str, u32)],
    /// The message for a size that needs a manual edit.
    left: &'static str,
}

const CASES: [Case; 6] = [
    Case {
        format: "cloudformation",
        template: "cloudformation.yaml",
        read_by: "cloudformation",
        wanted: &[
            ("shop-checkout", 300),
            ("shop-invoice", 512),
            ("shop-thumbnail", 700),
            ("shop-report-eu-west-1", 900),
        ],
        more: &[],
        changes: &[
            ("/Resources/Checkout/Properties", "MemorySize", 300),
            ("/Resources/Invoice/Properties", "MemorySize", 512),
            ("/Resources/Report/Properties", "MemorySize", 900),
        ],
        left: "the parameter ImageMemory",
    },
    Case {
        format: "cloudformation",
        template: "cloudformation.json",
        read_by: "cloudformation",
        wanted: &[("shop-checkout", 300), ("shop-invoice", 512)],
        more: &[],
        changes: &[
            ("/Resources/Checkout/Properties", "MemorySize", 300),
            ("/Resources/Invoice/Properties", "MemorySize", 512),
        ],
        left: "0 to edit by hand",
    },
    Case {
        format: "sam",
        template: "sam.yaml",
        read_by: "cloudformation",
        wanted: &[
            ("shop-checkout", 300),
            ("shop-invoice", 512),
            ("shop-thumbnail", 950),
        ],
        more: &[],
        changes: &[
            ("/Resources/CheckoutFunction/Properties", "MemorySize", 300),
            ("/Resources/InvoiceFunction/Properties", "MemorySize", 512),
            ("/Resources/ThumbnailFunction/Properties", "MemorySize", 950),
        ],
        left: "0 to edit by hand",
    },
    Case {
        format: "serverless",
        template: "serverless.yml",
        read_by: "yaml",
        wanted: &[
            ("shop-prod-checkout", 300),
            ("shop-prod-invoice", 512),
            ("shop-prod-thumbnail", 700),
        ],
        more: &["--stage", "prod"],
        changes: &[
            ("/functions/checkout", "memorySize", 300),
            ("/functions/invoice", "memorySize", 512),
        ],
        left: "${self:custom.imageMemory}",
    },
    Case {
        format: "terraform",
        template: "main.tf",
        read_by: "hcl",
        wanted: &[
            ("shop-checkout", 300),
            ("shop-invoice", 512),
            ("shop-thumbnail", 700),
        ],
        more: &[],
        changes: &[
            (
                "/resource/1/\"aws_lambda_function\"/\"checkout\"",
                "memory_size",
                300,
            ),
            (
                "/resource/2/\"aws_lambda_function\"/\"invoice\"",
                "memory_size",
                512,
            ),
        ],
        left: "memory_size is var.image_memory",
    },
    Case {
        format: "cdk",
        template: "cdk.json",
        read_by: "json",
        wanted: &[("shop-checkout", 300), ("shop-invoice", 512)],
        more: &[],
        changes: &[
            ("/context/rightsizer", "shop-checkout", 300),
            ("/context/rightsizer", "shop-invoice", 512),
        ],
        left: "0 to edit by hand",
    },
];

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/export")
        .join(name)
}

/// A program of the installed Python tools, run to its end.
fn python(program: &str, arguments: &[&str]) -> Output {
    let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/python/bin");
    let program = bin.join(program);
    assert!(
        program.exists(),
        "{} is missing: run `make tools` in the checkout",
        program.display()
    );
    Command::new(program).args(arguments).output().unwrap()
}

/// A template as the tool that knows its kind reads it.
fn read(kind: &str, file: &Path) -> Value {
    let script = here("read.py");
    let arguments = [script.to_str().unwrap(), kind, file.to_str().unwrap()];
    let result = python("python", &arguments);
    let error = String::from_utf8_lossy(&result.stderr);
    assert!(result.status.success(), "{}: {error}", file.display());
    serde_json::from_slice(&result.stdout).unwrap()
}

/// A store in which these functions' sizes are approved.
async fn store(folder: &Path, wanted: &[(&str, u32)]) -> String {
    let store = folder.join("store.db").to_str().unwrap().to_owned();
    for (name, mb) in wanted {
        let file = folder.join(format!("{name}.log"));
        let used = mb - 100;
        std::fs::write(
            &file,
            format!(
                "REPORT RequestId: {name}\tDuration: 12.00 ms\tBilled Duration: 12 ms\t\
                 Memory Size: 1024 MB\tMax Memory Used: {used} MB\n"
            ),
        )
        .unwrap();
        let path = file.to_str().unwrap();
        let home = ["--account", "123456789012", "--region", "eu-west-1"];
        let import = ["import", "--store", &store, "--function", name, path];
        good(&[&import[..], &home[..]].concat()).await;
        good(&["approve", name, "--store", &store, "--by", "on-call"]).await;
    }
    store
}

async fn good(arguments: &[&str]) -> (String, String) {
    let result = rightsizer(arguments).await.unwrap();
    let error = String::from_utf8(result.stderr).unwrap();
    assert!(result.status.success(), "{arguments:?}: {error}");
    (String::from_utf8(result.stdout).unwrap(), error)
}

impl Case {
    /// What the template is to read as, out of what it reads as.
    fn changed(&self, mut template: Value) -> Value {
        for (block, key, mb) in self.changes {
            let block = template.pointer_mut(block);
            let block = block.unwrap_or_else(|| panic!("{} in {}", key, self.template));
            block[key] = json!(mb);
        }
        template
    }

    async fn export(&self, store: &str, file: &Path, more: &[&str]) -> (String, String) {
        let file = file.to_str().unwrap();
        let arguments = [
            "export",
            "--store",
            store,
            "--format",
            self.format,
            "--template",
            file,
        ];
        good(&[&arguments[..], self.more, more].concat()).await
    }
}

#[tokio::test]
async fn a_patched_template_reads_as_before_but_for_memory() {
    for case in CASES {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), case.wanted).await;
        let file = folder.path().join(case.template);
        std::fs::copy(here("templates").join(case.template), &file).unwrap();
        let before = read(case.read_by, &file);
        let (_, words) = case.export(&store, &file, &["--yes"]).await;
        assert!(words.contains(case.left), "{}: {words}", case.template);
        let after = read(case.read_by, &file);
        assert_eq!(case.changed(before), after, "{}", case.template);
        // Once is enough.
        let text = std::fs::read(&file).unwrap();
        let (_, words) = case.export(&store, &file, &["--yes"]).await;
        assert!(
            words.contains("0 sizes changed"),
            "{}: {words}",
            case.template
        );
        assert_eq!(std::fs::read(&file).unwrap(), text);
    }
}

/// The lines that change are as many as the sizes that do, and Windows line endings stay.
#[tokio::test]
async fn no_other_line_changes_whatever_ends_them() {
    for case in CASES {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), case.wanted).await;
        let plain = std::fs::read_to_string(here("templates").join(case.template)).unwrap();
        let mut patched = Vec::new();
        for end in ["\n", "\r\n"] {
            let file = folder.path().join(case.template);
            std::fs::write(&file, plain.replace('\n', end)).unwrap();
            case.export(&store, &file, &["--yes"]).await;
            patched.push(std::fs::read_to_string(&file).unwrap());
        }
        assert_eq!(
            patched[0].replace('\n', "\r\n"),
            patched[1],
            "{}",
            case.template
        );
        let lines: Vec<&str> = plain.lines().collect();
        let new = patched[0].lines().filter(|line| !lines.contains(line));
        assert_eq!(new.count(), case.changes.len(), "{}", patched[0]);
    }
}

#[tokio::test]
async fn patched_cloudformation_and_sam_are_clean() {
    for case in CASES
        .into_iter()
        .filter(|case| case.read_by == "cloudformation")
    {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), case.wanted).await;
        let file = folder.path().join(case.template);
        std::fs::copy(here("templates").join(case.template), &file).unwrap();
        case.export(&store, &file, &["--yes"]).await;
        let result = python("cfn-lint", &[file.to_str().unwrap()]);
        let words = String::from_utf8_lossy(&result.stdout);
        assert!(result.status.success(), "{}: {words}", case.template);
    }
}

/// The change that is shown is one that `git apply` makes.
#[tokio::test]
async fn the_shown_change_can_be_applied() {
    for case in CASES {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), case.wanted).await;
        let file = folder.path().join(case.template);
        let original = std::fs::read_to_string(here("templates").join(case.template)).unwrap();
        // As some editors leave it.
        std::fs::write(&file, original.trim_end()).unwrap();
        let (diff, _) = case.export(&store, &file, &[]).await;
        assert_eq!(std::fs::read_to_string(&file).unwrap(), original.trim_end());
        std::fs::write(folder.path().join("change.diff"), diff).unwrap();
        let depth = folder.path().components().count().to_string();
        let git = Command::new("git")
            .args(["apply", "--whitespace=nowarn", "-p", &depth, "change.diff"])
            .current_dir(folder.path())
            .output()
            .expect("git is missing: install it from your system's packages");
        assert!(
            git.status.success(),
            "{}",
            String::from_utf8_lossy(&git.stderr)
        );
        let by_git = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, original.trim_end()).unwrap();
        case.export(&store, &file, &["--yes"]).await;
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            by_git,
            "{}",
            case.template
        );
    }
}

/// The store of a server elsewhere is exported from as one's own, by those who may review.
#[tokio::test]
async fn a_servers_store_is_exported_from() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), &[("shop-checkout", 300)]).await;
    let path = Path::new(&store);
    let tokens = [
        "--token",
        "writers-token",
        "--review-token",
        "reviewers-token",
    ];
    let serve = Aggregator::start(path, &tokens, &[], None).await.unwrap();
    let export = async |token: &str| {
        let server = format!("{}/{token}", serve.endpoint());
        rightsizer(&["export", "--server", &server, "--format", "serverless"])
            .await
            .unwrap()
    };
    let result = export("reviewers-token").await;
    assert!(result.status.success(), "{result:?}");
    let values: Value = serde_json::from_slice(&result.stdout).unwrap();
    assert_eq!(values, json!({"shop-checkout": 300}));
    let local = good(&["export", "--store", &store, "--format", "serverless"]).await;
    assert_eq!(local.0.as_bytes(), result.stdout);
    let refused = export("writers-token").await;
    assert_eq!(refused.status.code(), Some(1));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("reviewer's token"), "{words}");
    assert!(serve.stop().await.unwrap().success());
}
