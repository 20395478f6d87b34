//! A plan as text.

use std::fmt::Write;

use crate::cluster::Json;

use super::{Change, Deed, Plan};

/// The plan for people, a line for each object that would change, and their fields below.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let chart = if plan.chart.is_empty() { String::new() } else { format!(", chart {}", plan.chart) };
    let revision = if plan.revision > 0 { format!(", revision {}", plan.revision) } else { String::new() };
    let _ = writeln!(out, "{} {} in namespace {}{revision}{chart}", plan.operation, plan.name, plan.namespace);
    section(&mut out, "Definitions of crds/", &plan.crds);
    section(&mut out, "Objects", &plan.objects);
    if !plan.hooks.is_empty() {
        let _ = writeln!(out, "\nHooks:");
        for h in &plan.hooks {
            let policies = if h.delete_policies.is_empty() {
                String::new()
            } else {
                format!(", deleted: {}", h.delete_policies.join(", "))
            };
            let _ = writeln!(out, "  {} {} {} (weight {}{policies})", h.event, h.kind, h.name, h.weight);
        }
    }
    let count = |deed: Deed| plan.objects.iter().chain(&plan.crds).filter(|c| c.deed == deed).count();
    let mut parts: Vec<String> = Vec::new();
    for (deed, words) in [
        (Deed::Create, "to create"),
        (Deed::Change, "to change"),
        (Deed::Replace, "to replace"),
        (Deed::Delete, "to delete"),
        (Deed::Keep, "to keep"),
        (Deed::Unchanged, "unchanged"),
    ] {
        let n = count(deed);
        if n > 0 || matches!(deed, Deed::Create | Deed::Change | Deed::Delete) {
            parts.push(format!("{n} {words}"));
        }
    }
    let refused = plan.objects.iter().chain(&plan.crds).filter(|c| c.refused.is_some()).count();
    if refused > 0 {
        parts.push(format!("{refused} will be refused"));
    }
    let _ = writeln!(out, "\n{}", parts.join(", "));
    out
}

fn section(out: &mut String, title: &str, changes: &[Change]) {
    let shown: Vec<&Change> = changes.iter().filter(|c| c.deed != Deed::Unchanged || c.refused.is_some()).collect();
    if shown.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}:");
    for c in shown {
        let sign = match c.deed {
            Deed::Create => "+",
            Deed::Change => "~",
            Deed::Replace => "±",
            Deed::Delete => "-",
            Deed::Keep | Deed::Unchanged => "=",
        };
        let at = if c.namespace.is_empty() { String::new() } else { format!("{}/", c.namespace) };
        let note = c.note.as_ref().map(|n| format!(" ({n})")).unwrap_or_default();
        let _ = writeln!(out, "  {sign} {} {at}{}{note}", c.kind, c.name);
        for f in &c.fields {
            let _ = writeln!(out, "      {}: {} → {}", f.path, value(f.before.as_ref()), value(f.after.as_ref()));
        }
        if let Some(why) = &c.refused {
            let _ = writeln!(out, "    ! will be refused: {why}");
        }
    }
}

/// A value on one line; long ones are cut.
fn value(v: Option<&Json>) -> String {
    const LONG: usize = 100;
    let Some(v) = v else { return "(none)".into() };
    let text = v.to_string();
    if text.chars().count() <= LONG {
        return text;
    }
    let head: String = text.chars().take(LONG).collect();
    format!("{head}…")
}
