//! `pintle registry login` and `logout`: `helm registry`. Source: Helm 4.3 `pkg/cmd/registry_{login,logout}.go`.

use std::io::{BufRead, IsTerminal, Read};
use std::path::PathBuf;
use std::process::Command;

use clap::{Args, Subcommand};

use super::args::Global;
use super::output::Streams;
use super::{Failure, runtime};
use crate::diagnostic::LogLine;
use crate::source::{Context, Credentials, Options, Secret, Tls, oci};

/// The most bytes of a password on standard input.
const MAX_PASSWORD: u64 = 1 << 20;

#[derive(Args, Debug, Clone)]
pub struct RegistryArgs {
    #[command(subcommand)]
    pub command: RegistryCommand,
}

#[derive(Subcommand, Debug, Clone)]
pub enum RegistryCommand {
    /// Log in to a registry
    Login(LoginArgs),
    /// Log out from a registry
    Logout {
        #[arg(value_name = "HOST")]
        host: String,
    },
}

#[derive(Args, Debug, Clone)]
pub struct LoginArgs {
    #[arg(value_name = "HOST")]
    pub host: String,
    /// Registry username
    #[arg(short, long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub username: String,
    /// Registry password or identity token
    #[arg(short, long, value_name = "PASSWORD")]
    pub password: Option<Secret>,
    /// Read password or identity token from stdin
    #[arg(long)]
    pub password_stdin: bool,
    /// Allow connections to TLS registry without certs
    #[arg(long)]
    pub insecure: bool,
    /// Identify registry client using this SSL certificate file
    #[arg(long, value_name = "FILE", value_parser = super::flags::path())]
    pub cert_file: Option<PathBuf>,
    /// Identify registry client using this SSL key file
    #[arg(long, value_name = "FILE", value_parser = super::flags::path())]
    pub key_file: Option<PathBuf>,
    /// Verify certificates of HTTPS-enabled servers using this CA bundle
    #[arg(long, value_name = "FILE", value_parser = super::flags::path())]
    pub ca_file: Option<PathBuf>,
    /// Use insecure HTTP connections
    #[arg(long)]
    pub plain_http: bool,
}

pub fn run(args: &RegistryArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let config = global
        .config
        .registries()
        .ok_or_else(|| Failure::new("no place for the registry configuration: set HELM_REGISTRY_CONFIG, or HOME"))?;
    match &args.command {
        RegistryCommand::Login(login) => {
            let (username, password) = who(login, io)?;
            let tls = Tls::from_files(
                login.ca_file.as_deref(),
                login.cert_file.as_deref(),
                login.key_file.as_deref(),
                login.insecure,
            )?;
            let credentials = Some(Credentials::Basic { username, password });
            let options = Options { credentials, tls, plain_http: login.plain_http, ..Options::default() };
            let context = Context::new(options);
            runtime::block_on(async { Ok(oci::login(&login.host, &config, &context).await?) })?;
            writeln!(io.out, "Login Succeeded")?;
        }
        RegistryCommand::Logout { host } => {
            writeln!(io.out, "Removing login credentials for {host}")?;
            oci::logout(host, &config)?;
        }
    }
    Ok(())
}

/// Name and password: from flags, standard input, or the terminal.
fn who(args: &LoginArgs, io: &mut Streams<'_>) -> Result<(String, Secret), Failure> {
    if args.password_stdin {
        return Ok((args.username.clone(), from_stdin()?));
    }
    if let Some(password) = args.password.as_ref().filter(|p| !p.is_empty()) {
        io.log(&LogLine::warn("using --password via the CLI is insecure. Use --password-stdin"));
        return Ok((args.username.clone(), password.clone()));
    }
    let mut username = args.username.clone();
    if username.is_empty() {
        username = ask("Username: ", false, io)?.trim().to_string();
    }
    let (prompt, missing) = match username.is_empty() {
        true => ("Token: ", "token required"),
        false => ("Password: ", "password required"),
    };
    let password = ask(prompt, true, io)?;
    if password.is_empty() { Err(missing.to_string().into()) } else { Ok((username, Secret::new(password))) }
}

/// One line of standard input, unseen if it is a terminal.
fn ask(prompt: &str, silent: bool, io: &mut Streams<'_>) -> Result<String, Failure> {
    write!(io.out, "{prompt}")?;
    io.out.flush()?;
    let hide = silent && std::io::stdin().is_terminal();
    if hide && !Command::new("stty").arg("-echo").status().is_ok_and(|s| s.success()) {
        return Err("the terminal would show the password: use --password-stdin".to_string().into());
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().take(MAX_PASSWORD).read_line(&mut line);
    if hide {
        let _ = Command::new("stty").arg("echo").status();
        writeln!(io.out)?;
    }
    read?;
    Ok(line.trim_end_matches(['\n', '\r']).to_string())
}

/// A password on standard input, without the line's end.
///
/// # Errors
/// What cannot be read.
pub(super) fn from_stdin() -> Result<Secret, Failure> {
    let mut text = String::new();
    std::io::stdin().lock().take(MAX_PASSWORD).read_to_string(&mut text)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text)))
}
