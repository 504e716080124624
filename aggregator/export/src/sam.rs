//! SAM templates: `CloudFormation` with a transform. `Globals` counts for every function, so it is never
//! changed: a function that is to differ from it gets a size of its own.

use super::cloudformation;
use super::document::Document;
use super::error::Refused;
use super::node::{Kind, Node};
use super::site::Site;

/// The functions of a template.
pub(super) fn sites(text: &str) -> Result<Vec<Site>, Refused> {
    let document = Document::read(text)?;
    let sites = cloudformation::of(&document).map_err(as_sam)?;
    let transform = document.root.get("Transform");
    if !transform.is_some_and(is_sam) {
        return Err(Refused::OtherKind {
            wanted: "SAM template",
            why: "it has no Transform: AWS::Serverless-2016-10-31; for a plain CloudFormation \
                  template use --format cloudformation"
                .to_owned(),
        });
    }
    Ok(sites)
}

fn as_sam(refused: Refused) -> Refused {
    match refused {
        Refused::OtherKind { why, .. } => Refused::OtherKind {
            wanted: "SAM template",
            why,
        },
        other => other,
    }
}

/// One transform, or several.
fn is_sam(transform: &Node) -> bool {
    if let Kind::Seq(all) = &transform.kind {
        return all.iter().any(is_sam);
    }
    let name = transform.as_text();
    name.is_some_and(|name| name.starts_with("AWS::Serverless-"))
}
