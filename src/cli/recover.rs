//! `pintle recover`: what an interrupted operation left, and its end.

use clap::Args;

use crate::release::action::recover::{Recover, Recovered, Remains, Way, look, recover};

use super::args::Global;
use super::driving::{WaitArgs, drive, failure};
use super::output::Streams;
use super::printed::{self, Format, Show};
use super::{Failure, target};

#[derive(Args, Debug, Clone)]
pub struct RecoverArgs {
    /// The release's name
    #[arg(value_name = "RELEASE")]
    pub name: String,
    #[command(flatten)]
    pub waiting: WaitArgs,
    /// Bring the interrupted operation to its end
    #[arg(long, conflicts_with = "undo")]
    pub finish: bool,
    /// Go back to the deployed revision; an install is uninstalled
    #[arg(long)]
    pub undo: bool,
    /// Show what is left and what would be done; write nothing
    #[arg(long)]
    pub plan: bool,
    /// Prevent hooks from running
    #[arg(long)]
    pub no_hooks: bool,
}

pub fn run(args: &RecoverArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let name = &args.name;
    let mut options = args.waiting.options(io)?;
    options.no_hooks = args.no_hooks;
    let way = match (args.finish, args.undo) {
        (true, _) => Way::Finish,
        (_, true) => Way::Undo,
        _ => Way::Auto,
    };
    let remains = drive(name, args.waiting.quiet, io, target::open(global), |ctx| async move {
        look(&ctx, name).await.map_err(|e| failure(e, ""))
    })?;
    let way_there = if way == Way::Auto { remains.way } else { way };
    show(name, &remains, way_there, io)?;
    if args.plan || !remains.interrupted {
        return Ok(());
    }
    let what = Recover { name: name.clone(), way, options };
    let done = drive(name, args.waiting.quiet, io, target::open(global), |ctx| async move {
        recover(&ctx, &what).await.map_err(|e| failure(e, "RECOVERY FAILED: "))
    })?;
    match done {
        Recovered::Nothing => writeln!(io.out, "Nothing was left to do.")?,
        Recovered::Uninstalled => writeln!(io.out, "release \"{name}\" uninstalled")?,
        Recovered::Deployed(record) => {
            printed::release(
                &record,
                Format::Table,
                Show { debug: global.debug, hide_notes: true, ..Show::default() },
                io,
            )?;
        }
    }
    Ok(())
}

fn show(name: &str, remains: &Remains, way: Way, io: &mut Streams<'_>) -> Result<(), Failure> {
    let out = &mut *io.out;
    if !remains.interrupted {
        match &remains.owner {
            Some(owner) => writeln!(out, "release {name:?} is being worked on: {}", owner.words())?,
            None => writeln!(out, "release {name:?}: no operation was interrupted")?,
        }
        return Ok(());
    }
    if let Some((revision, status)) = remains.last {
        writeln!(out, "release {name:?}: revision {revision} is {}: {}", status.as_str(), remains.description)?;
    }
    match (&remains.owner, remains.lives) {
        (Some(owner), Some(true)) => writeln!(out, "held by {}", owner.words())?,
        (Some(owner), Some(false)) => writeln!(out, "left by {}, which is dead", owner.words())?,
        (Some(owner), None) => writeln!(out, "held by {}; whether it lives will be seen", owner.words())?,
        (None, _) => writeln!(out, "no mark of its owner")?,
    }
    match remains.deployed {
        Some(revision) => writeln!(out, "deployed: revision {revision}")?,
        None => writeln!(out, "deployed: none")?,
    }
    for (object, there) in &remains.objects {
        writeln!(out, "  {} {object}", if *there { "there:  " } else { "missing:" })?;
    }
    let words = match way {
        Way::Finish => "it is brought to its end (--undo goes back)",
        Way::Undo | Way::Auto => "it is undone (--finish goes on)",
    };
    Ok(writeln!(out, "{words}")?)
}
