//! How many arguments commands take, in Helm's words.
//!
//! Helm's commands say with one line each what they take (`cmd/helm/require/args.go`: `NoArgs`, `ExactArgs`, `MinimumNArgs`, `MaximumNArgs`),
//! and scripts know these lines. The table stands here whole; commands that count themselves take their text from it as well, the others
//! get it when the command line's parser finds an argument missing or too many.

use clap::error::{ContextKind, ErrorKind};

use super::Failure;
use super::args::Cli;

enum Rule {
    None,
    AtMost(usize),
    AtLeast(usize),
    Exactly(usize),
}

use Rule::{AtLeast, AtMost, Exactly};

/// The command, what it takes, and how Helm writes its arguments.
const RULES: &[(&str, Rule, &str)] = &[
    ("create", Exactly(1), "NAME"),
    ("dependency list", AtMost(1), "CHART"),
    ("dependency build", AtMost(1), "CHART"),
    ("dependency update", AtMost(1), "CHART"),
    ("env", AtMost(1), ""),
    ("get all", Exactly(1), "RELEASE_NAME"),
    ("get hooks", Exactly(1), "RELEASE_NAME"),
    ("get manifest", Exactly(1), "RELEASE_NAME"),
    ("get metadata", Exactly(1), "RELEASE_NAME"),
    ("get notes", Exactly(1), "RELEASE_NAME"),
    ("get values", Exactly(1), "RELEASE_NAME"),
    ("history", Exactly(1), "RELEASE_NAME"),
    ("install", AtLeast(1), "[NAME] [CHART]"),
    ("lint", AtLeast(1), "PATH"),
    ("list", Rule::None, ""),
    ("pull", AtLeast(1), "[chart URL | repo/chartname] [...]"),
    ("push", AtLeast(2), "[chart] [remote]"),
    ("registry login", AtLeast(1), "[host]"),
    ("registry logout", AtLeast(1), "[host]"),
    ("repo add", Exactly(2), "[NAME] [URL]"),
    ("repo index", Exactly(1), "[DIR]"),
    ("repo list", Rule::None, ""),
    ("repo remove", AtLeast(1), "[REPO1 [REPO2 ...]]"),
    ("rollback", AtLeast(1), "<RELEASE> [REVISION]"),
    ("show all", Exactly(1), "[CHART]"),
    ("show chart", Exactly(1), "[CHART]"),
    ("show crds", Exactly(1), "[CHART]"),
    ("show readme", Exactly(1), "[CHART]"),
    ("show values", Exactly(1), "[CHART]"),
    ("status", Exactly(1), "RELEASE_NAME"),
    ("template", AtLeast(1), "[NAME] [CHART]"),
    ("test", Exactly(1), "[RELEASE]"),
    ("uninstall", AtLeast(1), "RELEASE_NAME [...]"),
    ("upgrade", Exactly(2), "[RELEASE] [CHART]"),
    ("verify", Exactly(1), "PATH"),
    ("version", Rule::None, ""),
];

/// The error of a command that was given too few or too many arguments.
pub fn failure(command: &str) -> Failure {
    Failure::new(text(command).unwrap_or_else(|| format!("wrong number of arguments for {command}")))
}

fn text(command: &str) -> Option<String> {
    let (_, rule, arguments) = RULES.iter().find(|(name, ..)| *name == command)?;
    let plural = |n: &usize| if *n == 1 { "" } else { "s" };
    let says = match rule {
        Rule::None => "accepts no arguments".to_string(),
        AtMost(n) => format!("accepts at most {n} argument{}", plural(n)),
        AtLeast(n) => format!("requires at least {n} argument{}", plural(n)),
        Exactly(n) => format!("requires {n} argument{}", plural(n)),
    };
    let gap = if arguments.is_empty() { "" } else { " " };
    Some(format!("\"helm {command}\" {says}\n\nUsage:  helm {command}{gap}{arguments} [flags]"))
}

/// Helm's words for an argument that the parser missed or found too many, if that is what it says and Helm has the command.
pub fn said(error: &clap::Error, command: &[String]) -> Option<String> {
    match error.kind() {
        ErrorKind::MissingRequiredArgument => text(&command.join(" ")),
        ErrorKind::UnknownArgument => {
            let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
            let command = command.join(" ");
            let bounded = RULES.iter().any(|(name, rule, _)| *name == command && !matches!(rule, AtLeast(_)));
            if argument.starts_with('-') || !bounded { None } else { text(&command) }
        }
        _ => None,
    }
}

/// The command that a command line names, by the commands' own names: `["get", "values"]`.
pub fn named(args: &[std::ffi::OsString]) -> Vec<String> {
    let mut names = Vec::new();
    let tree = Cli::tree().ignore_errors(true).disable_help_flag(true).disable_version_flag(true);
    let Ok(matches) = tree.try_get_matches_from(args) else { return names };
    let mut at = &matches;
    while let Some((name, below)) = at.subcommand() {
        names.push(name.to_string());
        at = below;
    }
    names
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_rule_is_of_a_command_that_we_have() {
        for (name, ..) in RULES {
            let mut at = &mut Cli::command();
            for word in name.split(' ') {
                at = at.find_subcommand_mut(word).unwrap_or_else(|| panic!("there is no command {name}"));
            }
        }
    }
}
