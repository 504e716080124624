//! The arguments that `attach` and `detach` share, and the functions that they select.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, bail};
use clap::Args;
use rightsizer_aws::clock::now;
use rightsizer_aws::fleet::{AwsLayers, LayerVersion, Selected, Selection};
use rightsizer_aws::inventory::{AwsFleet, collect};
use rightsizer_aws::throttle::Throttle;
use rightsizer_records::Arch;

use super::flags;
use super::fleet_regions::NothingHere;
use super::out;
use super::place::PlaceArgs;
use crate::cli::form::FormArgs;

/// `GetFunction` has its own limit of 100 calls a second, which other tools need too.
pub(super) const READS_PER_SECOND: f64 = 50.0;

/// A list of 100,000 ARNs has 12 MB.
const MOST_LIST_BYTES: u64 = 64_000_000;

/// The exit code for arguments that contradict each other or miss one.
pub(super) const BAD_USAGE: u8 = 2;

#[derive(Debug, Args)]
pub(super) struct FleetArgs {
    #[command(flatten)]
    which: Which,
    /// Use the stream and the newest layers of this system, by the STACK of `make deploy`
    #[arg(long, value_name = "STACK", value_parser = flags::stack)]
    stack: Option<String>,
    /// The layer version to attach; repeat it for each architecture and region [default: the newest
    /// ones of --stack]
    #[arg(long, value_name = "ARN")]
    layer: Vec<LayerVersion>,
    /// The reports stream, by name or ARN; sets `RIGHTSIZER_STREAM` [default: that of --stack]
    #[arg(long, value_name = "STREAM", value_parser = flags::stream_name)]
    stream: Option<String>,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    /// Every region that is enabled for the account, one after the other
    #[arg(long, conflicts_with = "region")]
    pub(super) all_regions: bool,
    /// The URL to send to instead of AWS's; sets `RIGHTSIZER_ENDPOINT`
    #[arg(long, value_name = "URL", value_parser = flags::url)]
    pub(super) endpoint: Option<String>,
    /// Apply the plan; without this flag it is only shown
    #[arg(long)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) form: FormArgs,
    /// The most changes a second; Lambda allows 15 to all tools of the account together
    #[arg(long, value_name = "N", default_value_t = 8.0, value_parser = flags::rate)]
    pub(super) rate: f64,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// Functions with this tag, such as team=payments
    #[arg(long, value_name = "KEY=VALUE", value_parser = Selection::tag)]
    tag: Option<Selection>,
    /// Functions whose name begins with this
    #[arg(long, value_name = "PREFIX", value_parser = flags::text)]
    prefix: Option<String>,
    /// All functions of the account and region
    #[arg(long)]
    all: bool,
    /// Functions in this file: one name or ARN per line
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The content of `file`, which is read once: it may be a pipe.
    #[arg(skip)]
    listed: OnceLock<Selection>,
}

impl Which {
    /// Reads the file with the names, if one is given, and refuses it before any call to AWS.
    pub(super) fn see_list(&self) -> anyhow::Result<()> {
        self.selection().map(drop)
    }

    fn selection(&self) -> anyhow::Result<Selection> {
        if let Some(listed) = self.listed.get() {
            return Ok(listed.clone());
        }
        if let Some(path) = &self.file {
            let listed = read_list(path)?;
            return Ok(self.listed.get_or_init(|| listed).clone());
        }
        let prefix = self.prefix.clone().map(Selection::Prefix);
        Ok(prefix.or(self.tag.clone()).unwrap_or(Selection::All))
    }

    /// The options that select the same functions, for a command to copy.
    fn same(&self) -> String {
        match (&self.tag, &self.prefix, &self.file) {
            (Some(Selection::Tag(key, value)), ..) => {
                format!(" --tag {}", quoted(&format!("{key}={value}")))
            }
            (_, Some(prefix), _) => format!(" --prefix {}", quoted(prefix)),
            (_, _, Some(file)) => format!(" --file {}", quoted(&file.display().to_string())),
            _ => " --all".to_owned(),
        }
    }

    /// The selected functions, listed at the given rate.
    pub(super) async fn selected(
        &self,
        fleet: &AwsFleet,
        rate: f64,
        place: &PlaceArgs,
    ) -> anyhow::Result<Selected> {
        let selection = self.selection()?;
        let (update, _, errors) = collect(fleet, &Throttle::per_second(rate), now()).await;
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        if !update.complete {
            let why = errors.join("; ");
            let hint = "allow lambda:ListFunctions, and check --region and --profile";
            let hint = place.hint(&why, hint).await;
            bail!("cannot list the functions: {why}{hint}");
        }
        for error in errors {
            out::note(format_args!(
                "rightsizer: the tags cannot be listed ({error})"
            ));
        }
        let selected = selection.of(update.functions)?;
        if selected.functions.is_empty() && selected.missing.is_empty() {
            let why = "no function of this account and region matches";
            return Err(NothingHere(why.to_owned()).into());
        }
        Ok(selected)
    }
}

impl FleetArgs {
    /// Returns what is missing of the layer and the stream, if they are not named.
    pub(super) fn wrong(&self) -> Option<anyhow::Error> {
        let named = self.stack.is_some() || (!self.layer.is_empty() && self.stream.is_some());
        (!named).then(|| {
            anyhow::anyhow!(
                "neither a system nor a layer and a stream are named\nhint: name the system of `make deploy` with \
                 --stack STACK, or give both --layer ARN and --stream STREAM"
            )
        })
    }

    /// Refuses a file of names that cannot be used, before any call to AWS.
    pub(super) fn see_list(&self) -> anyhow::Result<()> {
        self.which.see_list()
    }

    /// The reports stream, by name or ARN.
    pub(super) fn stream(&self) -> String {
        let of_stack = || format!("{}-reports", self.stack.as_deref().unwrap_or_default());
        self.stream.clone().unwrap_or_else(of_stack)
    }

    /// The named layers, or the newest ones of the stack in the region of `api`.
    pub(super) async fn layers(&self, api: &AwsLayers) -> anyhow::Result<Vec<LayerVersion>> {
        let Some(stack) = self.stack.as_ref().filter(|_| self.layer.is_empty()) else {
            return Ok(self.layer.clone());
        };
        let mut layers = Vec::new();
        for arch in [Arch::X86_64, Arch::Arm64] {
            let name = format!("{stack}-extension-{}", arch.name());
            let newest = api.newest(&name).await;
            let newest =
                newest.with_context(|| format!("cannot list the versions of the layer {name}"));
            layers.extend(match newest {
                Ok(newest) => newest,
                Err(error) => {
                    let why = format!("{error:#}");
                    let hint = self
                        .place
                        .hint(&why, "allow lambda:ListLayerVersions")
                        .await;
                    bail!("{why}{hint}")
                }
            });
        }
        if layers.is_empty() {
            let why = format!(
                "the system {stack} has no layer in this region\nhint: check --stack and --region, or name a layer \
                 with --layer"
            );
            return Err(NothingHere(why).into());
        }
        Ok(layers)
    }

    /// The options that select the same functions in this region, or in all, and name the same layers, stream and account, for a
    /// command to copy.
    pub(super) fn same(&self, region: Option<&str>) -> String {
        let layers: Vec<String> = self.layer.iter().map(ToString::to_string).collect();
        let layers = layers.iter().map(|layer| ("layer", layer.as_str()));
        let options = [
            ("stack", self.stack.as_deref()),
            ("stream", self.stream.as_deref()),
            ("endpoint", self.endpoint.as_deref()),
            ("profile", self.place.profile()),
            ("region", region),
        ];
        let options = options
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let options = layers.chain(options);
        let options = options.map(|(name, value)| format!(" --{name} {}", quoted(value)));
        let all = region.is_none().then(|| " --all-regions".to_owned());
        let which = std::iter::once(self.which.same());
        which.chain(options).chain(all).collect()
    }

    /// The variables that the extension needs.
    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        let stream = ("RIGHTSIZER_STREAM".to_owned(), self.stream());
        let endpoint = self.endpoint.clone();
        let endpoint = endpoint.map(|url| ("RIGHTSIZER_ENDPOINT".to_owned(), url));
        std::iter::once(stream).chain(endpoint).collect()
    }

    /// The selected functions, and the listed names that may be in another region.
    pub(super) async fn selected(
        &self,
        fleet: &AwsFleet,
    ) -> anyhow::Result<(Selected, Vec<String>)> {
        let mut selected = self.which.selected(fleet, self.rate, &self.place).await?;
        if !self.all_regions {
            return Ok((selected, Vec::new()));
        }
        let elsewhere = std::mem::take(&mut selected.missing);
        if selected.functions.is_empty() {
            let why = "no function of this account and region is in the list";
            return Err(NothingHere(why.to_owned()).into());
        }
        Ok((selected, elsewhere))
    }
}

fn read_list(path: &Path) -> anyhow::Result<Selection> {
    let unreadable = || format!("cannot read the list {}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(unreadable)?;
    let read = file.take(MOST_LIST_BYTES + 1).read_to_end(&mut bytes);
    let is_whole = read.with_context(unreadable)? as u64 <= MOST_LIST_BYTES;
    let text = String::from_utf8(bytes).ok().filter(|_| is_whole);
    let Some(text) = text else {
        bail!(
            "the list {} is not a text of names\nhint: write one name or ARN per line",
            path.display()
        );
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Selection::list(text).with_context(|| path.display().to_string())
}

/// Returns a word as a shell reads it back.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=/.:@,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_functions_are_selected_again() {
        let which = |tag: Option<&str>, prefix: Option<&str>, file: Option<&str>| Which {
            tag: tag.map(|tag| Selection::tag(tag).unwrap()),
            prefix: prefix.map(str::to_owned),
            all: false,
            file: file.map(PathBuf::from),
            listed: OnceLock::new(),
        };
        for (which, wanted) in [
            (which(None, None, None), " --all"),
            (
                which(Some("team=payments"), None, None),
                " --tag team=payments",
            ),
            (
                which(Some("team=it's us"), None, None),
                r" --tag 'team=it'\''s us'",
            ),
            (which(None, Some("check"), None), " --prefix check"),
            (
                which(None, None, Some("my list.txt")),
                " --file 'my list.txt'",
            ),
        ] {
            assert_eq!(which.same(), wanted);
        }
    }

    /// In the account and the region that were used: the environment of the one who copies it may have changed.
    #[test]
    fn the_way_back_leads_to_the_same_place() {
        #[derive(clap::Parser)]
        struct Command {
            #[command(flatten)]
            fleet: FleetArgs,
        }
        let same = |words: &[&str]| {
            let words = ["attach", "--all"].iter().chain(words);
            let args = <Command as clap::Parser>::try_parse_from(words).unwrap();
            args.fleet.same(Some("eu-west-1"))
        };
        assert_eq!(
            same(&["--stack", "rs"]),
            " --all --stack rs --region eu-west-1"
        );
        let profile = [
            "--stack",
            "rs",
            "--profile",
            "my prod",
            "--endpoint",
            "http://a",
        ];
        assert_eq!(
            same(&profile),
            " --all --stack rs --endpoint http://a --profile 'my prod' --region eu-west-1"
        );
        let layer = "arn:aws:lambda:eu-west-1:123456789012:layer:rightsizer:7";
        assert_eq!(
            same(&["--layer", layer, "--stream", "reports"]),
            format!(" --all --layer {layer} --stream reports --region eu-west-1")
        );
    }
}
