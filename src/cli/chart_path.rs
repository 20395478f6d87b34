//! Where a chart comes from, on the command line: one set of flags, and one way from what the user named to a loaded chart.
//!
//! Source: Helm 4.3 `pkg/cmd/flags.go`, `addChartPathOptionsFlags`; `pkg/action/install.go`, `LocateChart`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::chart::load::Early;
use crate::chart::load::{self, LoadError};
use crate::chart::{Chart, Shared, directory, tree};
use crate::diagnostic::LogLine;
use crate::golang::{duration, errno, strconv};
use crate::source::{
    Context, Credentials, Fetched, Kind, Options, Provenance, Reference, Secret, SourceError, Tls, Verification,
    Verify, obtain, verify,
};

use super::config::ConfigArgs;
use super::output::Streams;
use super::{Failure, runtime};

/// Helm's flags for finding a chart, and ours for what Helm has not.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Where the chart comes from")]
pub struct ChartPathArgs {
    /// Version or range of versions; without it the latest stable one is used
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// Use development versions, too. Equivalent to version '>0.0.0-0'. If --version is set, this is ignored
    #[arg(long)]
    pub devel: bool,
    /// Chart repository url where to locate the requested chart
    #[arg(long, value_name = "URL")]
    pub repo: Option<String>,
    #[command(flatten)]
    pub access: AccessArgs,
    /// Pass credentials to all domains
    #[arg(long, hide_short_help = true)]
    pub pass_credentials: bool,
    /// Verify the package before using it
    #[arg(long)]
    pub verify: bool,
    /// Location of public keys used for verification
    #[arg(long, value_name = "FILE", hide_short_help = true, value_parser = super::flags::path())]
    pub keyring: Option<PathBuf>,
    /// A key that must have signed: a cosign public key, or a PGP or SSH key of Git's signers; any one of several
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub verify_key: Vec<PathBuf>,
    /// Who must have signed keyless: issuer and subject, divided by a comma, as regular expressions
    #[arg(long, value_name = "ISSUER,SUBJECT", hide_short_help = true)]
    pub verify_identity: Vec<String>,
    /// The trust root for keyless signatures (trusted_root.json)
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub trusted_root: Option<PathBuf>,
}

/// How to reach and enter a source.
#[derive(Args, Debug, Clone, Default)]
pub struct AccessArgs {
    /// Chart repository username where to locate the requested chart
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub username: Option<String>,
    /// Chart repository password where to locate the requested chart
    #[arg(long, value_name = "PASSWORD", env = "PINTLE_PASSWORD", hide_env_values = true, hide_short_help = true)]
    pub password: Option<Secret>,
    /// Bearer token, for Git and registries
    #[arg(long, value_name = "TOKEN", env = "PINTLE_TOKEN", hide_env_values = true, hide_short_help = true)]
    pub token: Option<Secret>,
    /// Private key for Git over ssh; without it ssh's own configuration and agent decide
    #[arg(long, value_name = "FILE", env = "PINTLE_SSH_KEY", hide_short_help = true)]
    pub ssh_key: Option<PathBuf>,
    /// File with the host keys to trust for Git over ssh
    #[arg(long, value_name = "FILE", env = "PINTLE_KNOWN_HOSTS", hide_short_help = true)]
    pub known_hosts: Option<PathBuf>,
    /// Identify HTTPS client using this SSL certificate file
    #[arg(long, value_name = "FILE", hide_short_help = true, value_parser = super::flags::path())]
    pub cert_file: Option<PathBuf>,
    /// Identify HTTPS client using this SSL key file
    #[arg(long, value_name = "FILE", hide_short_help = true, value_parser = super::flags::path())]
    pub key_file: Option<PathBuf>,
    /// Verify certificates of HTTPS-enabled servers using this CA bundle
    #[arg(long, value_name = "FILE", hide_short_help = true, value_parser = super::flags::path())]
    pub ca_file: Option<PathBuf>,
    /// Skip tls certificate checks for the chart download
    #[arg(long, hide_short_help = true)]
    pub insecure_skip_tls_verify: bool,
    /// Use insecure HTTP connections for the chart download
    #[arg(long, hide_short_help = true)]
    pub plain_http: bool,
    /// Use the cache alone
    #[arg(long, env = "PINTLE_OFFLINE", value_parser = clap::builder::FalseyValueParser::new(), hide_short_help = true)]
    pub offline: bool,
    /// How long the download of one artifact may take, with all its tries
    #[arg(long, value_name = "DURATION", env = "PINTLE_FETCH_TIMEOUT", hide_short_help = true)]
    pub fetch_timeout: Option<String>,
}

impl AccessArgs {
    /// # Errors
    /// A file that can't be read, a duration that is none.
    pub fn options(&self, config: &ConfigArgs) -> Result<Options, Failure> {
        let tls = Tls::from_files(
            self.ca_file.as_deref(),
            self.cert_file.as_deref(),
            self.key_file.as_deref(),
            self.insecure_skip_tls_verify,
        )?;
        let credentials = match (&self.username, &self.password) {
            (Some(username), Some(password)) if !username.is_empty() && !password.is_empty() => {
                Some(Credentials::Basic { username: username.clone(), password: password.clone() })
            }
            _ => self.token.clone().filter(|t| !t.is_empty()).map(Credentials::Bearer),
        };
        let mut options = Options {
            ssh_key: self.ssh_key.clone(),
            known_hosts: self.known_hosts.clone(),
            tls,
            credentials,
            plain_http: self.plain_http,
            offline: self.offline,
            registry_config: config.registries(),
            repository_config: config.repositories(),
            progress: std::io::IsTerminal::is_terminal(&std::io::stderr()),
            ..Options::default()
        };
        if let Some(text) = &self.fetch_timeout {
            let nanos = duration::parse(text.as_bytes()).ok().and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0);
            let Some(nanos) = nanos else {
                return Err(format!("invalid duration {text:?} for --fetch-timeout").into());
            };
            options.deadline = Duration::from_nanos(nanos);
        }
        Ok(options)
    }
}

impl ChartPathArgs {
    /// `--version`, or what `--devel` stands for.
    pub fn wanted_version(&self) -> Option<&str> {
        let version = self.version.as_deref().map(str::trim).filter(|v| !v.is_empty());
        version.or_else(|| self.devel.then_some(">0.0.0-0"))
    }

    /// # Errors
    /// A file that can't be read, a value that can't be understood.
    pub fn options(&self, config: &ConfigArgs) -> Result<Options, Failure> {
        let mut options = self.access.options(config)?;
        options.pass_credentials = self.pass_credentials;
        if self.verify {
            options.verify.keyring = Some(self.keyring.clone().unwrap_or_else(default_keyring));
        }
        self.signers(&mut options.verify)?;
        Ok(options)
    }

    fn signers(&self, verify: &mut Verify) -> Result<(), Failure> {
        let read = |p: &Path| {
            directory::read_file(p).map_err(|e| Failure::new(errno::read_error(&p.display().to_string(), &e)))
        };
        for path in &self.verify_key {
            let key = read(path)?;
            // cosign's keys are plain PEM; Git's signers have PGP armor or a line of `authorized_keys`.
            let cosign = String::from_utf8_lossy(&key).contains("-----BEGIN PUBLIC KEY-----");
            if cosign { &mut verify.cosign_keys } else { &mut verify.git_keys }.push(key);
        }
        for text in &self.verify_identity {
            let Some((issuer, subject)) = text.split_once(',') else {
                return Err("--verify-identity needs an issuer and a subject, divided by a comma".to_string().into());
            };
            verify.cosign_identities.push((issuer.into(), subject.into()));
        }
        verify.trusted_root = self.trusted_root.as_deref().map(read).transpose()?;
        Ok(())
    }

    /// Finds what the user named: on disk, or in a source; then it is fetched.
    ///
    /// # Errors
    /// Helm's texts where Helm has them.
    pub fn locate(&self, chart: &str, config: &ConfigArgs, io: &mut Streams<'_>) -> Result<Located, Failure> {
        let name = chart.trim();
        let repo = self.repo.as_deref().filter(|r| !r.is_empty());
        if repo.is_none() && Path::new(name).exists() {
            // Clean, as in Helm: the path stands in errors.
            let path = directory::absolute(Path::new(name))?;
            if self.verify {
                verify_file(&path, &self.keyring.clone().unwrap_or_else(default_keyring))?;
            }
            return Ok(Located::Path(path));
        }
        if repo.is_none() && name.starts_with(['/', '.']) {
            return Err(format!("path {} not found", strconv::quote(name.as_bytes())).into());
        }
        let reference = match Reference::parse(name, repo, self.wanted_version())? {
            Reference::Path(_) => Reference::known_repository(name, self.wanted_version())?,
            other => other,
        };
        let context = Context::new(self.options(config)?);
        Ok(Located::Fetched(fetch(&reference, &context, io)?))
    }

    /// A reader for values files that lie elsewhere.
    pub fn values<'a>(&'a self, config: &'a ConfigArgs) -> Remote<'a> {
        Remote { args: self, config, context: None }
    }
}

/// Fetches, and prints what there is to say.
///
/// # Errors
/// The source's.
pub fn fetch(reference: &Reference, context: &Context, io: &mut Streams<'_>) -> Result<Fetched, Failure> {
    let fetched = runtime::block_on(async { obtain(reference, context).await.map_err(Failure::from) });
    context.notes().iter().for_each(|line| io.log(line));
    fetched
}

/// A chart that was found.
#[derive(Clone, Debug)]
pub enum Located {
    /// A directory or an archive on disk.
    Path(PathBuf),
    Fetched(Fetched),
}

impl Located {
    /// Loads the chart as `helm template` and `helm install` do.
    ///
    /// # Errors
    /// Helm's text.
    pub fn load(&self, log: &mut Vec<LogLine>) -> Result<Chart, LoadError> {
        match self {
            Self::Path(path) => directory::load(path, log),
            Self::Fetched(f) if f.kind == Kind::Tree => tree::load(&f.bytes, log),
            Self::Fetched(f) => load::archive_file(&f.provenance.file_name, &f.bytes, log),
        }
    }

    /// As [`Located::load`], for who only renders: what rendering does not read by itself stays in its archive until it is asked for.
    ///
    /// # Errors
    /// Helm's text.
    pub fn load_to_render(&self, log: &mut Vec<LogLine>, early: &mut dyn Early) -> Result<Chart, LoadError> {
        match self {
            Self::Path(path) => directory::load_to_render(path, log, early),
            Self::Fetched(f) if f.kind == Kind::Tree => tree::load(&f.bytes, log),
            Self::Fetched(f) => {
                let bytes = Arc::new(f.bytes.clone()) as Shared;
                load::archive_file_to_render(&f.provenance.file_name, &bytes, log, early)
            }
        }
    }

    /// Loads as `helm show` does, without a look at the API version first.
    ///
    /// # Errors
    /// Helm's text.
    pub fn load_unchecked(&self, log: &mut Vec<LogLine>) -> Result<Chart, LoadError> {
        match self {
            Self::Path(path) => directory::load_unchecked(path, log),
            Self::Fetched(f) if f.kind == Kind::Tree => tree::load(&f.bytes, log),
            Self::Fetched(f) => load::archive_unchecked(&f.provenance.file_name, &f.bytes, log),
        }
    }

    /// Where it comes from and who vouches for it; `None` for what lies on disk.
    pub const fn provenance(&self) -> Option<&Provenance> {
        match self {
            Self::Path(_) => None,
            Self::Fetched(f) => Some(&f.provenance),
        }
    }
}

/// Helm's provenance check of an archive on disk, `FILE.prov` beside it.
///
/// # Errors
/// Helm's texts.
pub fn verify_file(path: &Path, keyring: &Path) -> Result<Verification, Failure> {
    let shown = path.display();
    if path.is_dir() {
        return Err("unpacked charts cannot be verified".to_string().into());
    }
    if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tgz")) {
        return Err("chart must be a tgz file".to_string().into());
    }
    let prov = PathBuf::from(format!("{shown}.prov"));
    let file = directory::read_file(&prov).map_err(|e| {
        let why = errno::path_error("stat", &prov.display().to_string(), &e);
        format!("could not load provenance file {}: {why}", prov.display())
    })?;
    let archive = directory::read_file(path).map_err(|e| errno::read_error(&shown.to_string(), &e))?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(verify::helm_provenance(&archive, &file, &name, keyring)?)
}

/// GnuPG's public keys: the old ring, or the new keybox if only that is there.
pub fn default_keyring() -> PathBuf {
    let home = std::env::var_os("GNUPGHOME")
        .map_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".gnupg"), PathBuf::from);
    let absent = |p: &Path| p.metadata().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound);
    let (ring, keybox) = (home.join("pubring.gpg"), home.join("pubring.kbx"));
    if absent(&ring) && !absent(&keybox) { keybox } else { ring }
}

/// Reads values files by reference. One set of connections serves all of them.
pub struct Remote<'a> {
    args: &'a ChartPathArgs,
    config: &'a ConfigArgs,
    context: Option<Context>,
}

impl Remote<'_> {
    /// The bytes of a file that is named by a URL; `None` for a path. Credentials of the chart are not sent: values may lie anywhere.
    ///
    /// # Errors
    /// The source's.
    pub fn read(&mut self, name: &str) -> Option<Result<Vec<u8>, String>> {
        if !name.contains("://") || Path::new(name).exists() {
            return None;
        }
        Some(self.fetch(name).map_err(|f| f.message))
    }

    fn fetch(&mut self, name: &str) -> Result<Vec<u8>, Failure> {
        let reference = Reference::parse(name, None, None)?;
        if self.context.is_none() {
            let options = Options { credentials: None, verify: Verify::default(), ..self.args.options(self.config)? };
            self.context = Some(Context::new(options));
        }
        let Some(context) = &self.context else { return Err("no context".to_string().into()) };
        let fetched = runtime::block_on(async { obtain(&reference, context).await.map_err(Failure::from) })?;
        if fetched.kind == Kind::Tree {
            return Err(format!("{reference} is a directory, not a values file: name a file in it").into());
        }
        Ok(fetched.bytes.to_vec())
    }
}

impl From<SourceError> for Failure {
    /// The first line is Helm's where Helm has one; what to do comes behind it.
    fn from(mut e: SourceError) -> Self {
        match e.hint.take() {
            Some(hint) => Self::new(format!("{e}\nhint: {hint}")),
            None => Self::new(e.to_string()),
        }
    }
}
