//! `pintle list`: the releases of a namespace, or of all. Source: Helm 4.3 `pkg/cmd/list.go`.

use clap::Args;

use crate::release::query::{self, ListOptions};
use crate::release::record::{Status, Summary};

use super::Failure;
use super::args::Global;
use super::output::Streams;
use super::printed::Format;
use super::reading::{self, Fields};
use super::table::Table;

#[derive(Args, Debug, Clone)]
#[command(disable_version_flag = true)]
pub struct ListArgs {
    /// Output short (quiet) listing format
    #[arg(short = 'q', long)]
    pub short: bool,
    /// Don't print headers when using the default output format
    #[arg(long)]
    pub no_headers: bool,
    /// Format time using golang time formatter. Example: --time-format "2006-01-02 15:04:05Z0700"
    #[arg(long, default_value = "", value_name = "LAYOUT", hide_default_value = true)]
    pub time_format: String,
    /// Sort by release date
    #[arg(short = 'd', long)]
    pub date: bool,
    /// Reverse the sort order
    #[arg(short = 'r', long)]
    pub reverse: bool,
    /// Show uninstalled releases (if 'uninstall --keep-history' was used)
    #[arg(long)]
    pub uninstalled: bool,
    /// Show superseded releases
    #[arg(long)]
    pub superseded: bool,
    /// Show releases that are currently being uninstalled
    #[arg(long)]
    pub uninstalling: bool,
    /// Show deployed releases
    #[arg(long)]
    pub deployed: bool,
    /// Show failed releases
    #[arg(long)]
    pub failed: bool,
    /// Show pending releases
    #[arg(long)]
    pub pending: bool,
    /// List releases across all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Maximum number of releases to fetch
    #[arg(short = 'm', long, default_value_t = 256, value_name = "INT", value_parser = super::flags::integer)]
    pub max: i64,
    /// Next release index in the list, used to offset from start value
    #[arg(long, default_value_t = 0, value_name = "INT")]
    pub offset: usize,
    /// A regular expression (Perl compatible). Any releases that match the expression will be included in the results
    #[arg(short = 'f', long, default_value = "", hide_default_value = true, value_name = "REGEX")]
    pub filter: String,
    /// Selector (label query) to filter on, supports '=', '==', and '!='.(e.g. -l key1=value1,key2=value2)
    #[arg(short = 'l', long, default_value = "", hide_default_value = true, value_name = "SELECTOR")]
    pub selector: String,
    /// Prints the output in the specified format. Allowed values: table, json, yaml
    #[arg(short = 'o', long, default_value = "table", value_name = "FORMAT")]
    pub output: Format,
}

impl ListArgs {
    fn states(&self) -> Vec<Status> {
        let mut states = Vec::new();
        for (flag, these) in [
            (self.deployed, &[Status::Deployed][..]),
            (self.uninstalled, &[Status::Uninstalled]),
            (self.uninstalling, &[Status::Uninstalling]),
            (self.pending, &[Status::PendingInstall, Status::PendingUpgrade, Status::PendingRollback]),
            (self.failed, &[Status::Failed]),
            (self.superseded, &[Status::Superseded]),
        ] {
            if flag {
                states.extend_from_slice(these);
            }
        }
        states
    }
}

pub fn run(args: &ListArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let options = ListOptions {
        states: args.states(),
        filter: args.filter.clone(),
        selector: args.selector.clone(),
        by_date: args.date,
        reverse: args.reverse,
        limit: usize::try_from(args.max).unwrap_or(0),
        offset: args.offset,
    };
    let answer = super::runtime::block_on(async {
        let target = super::target::open(global).await?;
        let storage = match args.all_namespaces {
            true => reading::of_all_namespaces(global, &target)?,
            false => target.storage.clone(),
        };
        query::list(&*storage, &options).await.map_err(|e| reading::failure(&e))
    })?;
    reading::tell(&answer.passed_over, io);
    let found = answer.found;
    if args.short {
        if args.output != Format::Table {
            return reading::print(&reading::list(found.iter().map(|s| reading::text(&s.name))), args.output, io);
        }
        for summary in &found {
            writeln!(io.out, "{}", summary.name)?;
        }
        return Ok(());
    }
    if args.output != Format::Table {
        return reading::print(&reading::list(found.iter().map(|s| element(s, &args.time_format))), args.output, io);
    }
    let mut table = Table::default();
    if !args.no_headers {
        table.row(["NAME", "NAMESPACE", "REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION"]);
    }
    for s in &found {
        table.row([
            s.name.clone(),
            s.namespace.clone(),
            s.version.to_string(),
            updated(s, &args.time_format),
            s.info.status_text().to_string(),
            chart_label(s),
            app_version(s),
        ]);
    }
    Ok(table.print(io.out)?)
}

fn element(s: &Summary, layout: &str) -> Vec<u8> {
    let mut o = Fields::default();
    o.text("name", &s.name);
    o.text("namespace", &s.namespace);
    o.text("revision", &s.version.to_string());
    o.text("updated", &updated(s, layout));
    o.text("status", s.info.status_text());
    o.text("chart", &chart_label(s));
    o.text("app_version", &app_version(s));
    o.end()
}

fn updated(s: &Summary, layout: &str) -> String {
    if s.info.last_deployed.is_empty() {
        return "-".into();
    }
    let time = reading::stored_time(&s.info.last_deployed);
    match layout {
        "" => time.string(),
        layout => String::from_utf8_lossy(&time.format(layout.as_bytes())).into_owned(),
    }
}

/// `name-version`. Source: `pkg/cmd/history.go`, `formatChartName`.
pub(super) fn chart_label(s: &Summary) -> String {
    s.metadata.as_ref().map_or_else(|| "MISSING".into(), |m| format!("{}-{}", m.name, m.version))
}

pub(super) fn app_version(s: &Summary) -> String {
    s.metadata.as_ref().map_or_else(|| "MISSING".into(), |m| m.app_version.clone())
}
