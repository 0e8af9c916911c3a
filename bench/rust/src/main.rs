//! Rust's signers in a loop, as contestants: process.go has the protocol. The argument says which.

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    sign, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode,
};
use aws_sigv4::sign::v4;
use object_store::signer::Signer as _;
use rusty_s3::S3Action;
use serde::{Deserialize, Serialize};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Deserialize)]
struct Setup {
    bucket: String,
    region: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expires_in: u64,
}

#[derive(Deserialize)]
struct Task {
    keys: Vec<String>,
    want_urls: bool,
}

#[derive(Serialize)]
struct Answer {
    ns: u64,
    urls: Option<Vec<String>>,
}

/// Signs a list of keys.
type Presign = Box<dyn FnMut(&[String]) -> Result<Vec<String>>>;

fn main() -> Result<()> {
    let name = std::env::args().nth(1).ok_or("which signer?")?;
    let mut lines = io::stdin().lock().lines();
    let setup: Setup = serde_json::from_str(&lines.next().ok_or("no setup")??)?;
    let mut out = io::stdout().lock();
    let mut presign = contestant(&name, setup)?;
    writeln!(out, "{{\"version\":\"{}\"}}", version(&name))?;
    for line in lines {
        let task: Task = serde_json::from_str(&line?)?;
        let start = Instant::now();
        let urls = presign(&task.keys)?;
        let ns = start.elapsed().as_nanos() as u64;
        serde_json::to_writer(&mut out, &Answer { ns, urls: task.want_urls.then_some(urls) })?;
        writeln!(out)?;
    }
    Ok(())
}

/// The version that Cargo.lock has.
fn version(name: &str) -> &'static str {
    let crate_name = if name == "reqsign" { "reqsign-aws-v4" } else { name };
    let heading = format!("name = \"{crate_name}\"\nversion = \"");
    let lock = include_str!("../Cargo.lock");
    let rest = lock.split(&heading).nth(1).unwrap_or_default();
    rest.split('"').next().unwrap_or_default()
}

fn contestant(name: &str, s: Setup) -> Result<Presign> {
    let expires_in = Duration::from_secs(s.expires_in);
    let origin = format!("https://{}.s3.{}.amazonaws.com/", s.bucket, s.region);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(match name {
        "rusty-s3" => {
            let endpoint = format!("https://s3.{}.amazonaws.com", s.region).parse()?;
            let bucket = rusty_s3::Bucket::new(endpoint, rusty_s3::UrlStyle::VirtualHost, s.bucket, s.region)?;
            let credentials =
                rusty_s3::Credentials::new_with_token(s.access_key_id, s.secret_access_key, s.session_token);
            each(move |key| Ok(bucket.get_object(Some(&credentials), key).sign(expires_in).into()))
        }
        "aws-sigv4" => {
            let identity =
                Credentials::new(s.access_key_id, s.secret_access_key, Some(s.session_token), None, "bench").into();
            let mut settings = SigningSettings::default();
            settings.signature_location = SignatureLocation::QueryParams;
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.expires_in = Some(expires_in);
            each(move |key| {
                let url = origin.clone() + &escaped(key);
                let params = v4::SigningParams::builder()
                    .identity(&identity)
                    .region(&s.region)
                    .name("s3")
                    .time(SystemTime::now())
                    .settings(settings.clone())
                    .build()?
                    .into();
                let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::UnsignedPayload)?;
                let (instructions, _) = sign(request, &params)?.into_parts();
                let mut request = http::Request::get(&url).body(())?;
                instructions.apply_to_request_http1x(&mut request);
                Ok(request.uri().to_string())
            })
        }
        "reqsign" => {
            let credentials = reqsign_aws_v4::StaticCredentialProvider::new(&s.access_key_id, &s.secret_access_key)
                .with_session_token(&s.session_token);
            let signer = reqsign_core::Signer::new(
                reqsign_core::Context::new(),
                credentials,
                reqsign_aws_v4::RequestSigner::new("s3", &s.region),
            );
            each(move |key| {
                let mut request = http::Request::get(origin.clone() + &escaped(key)).body(())?.into_parts().0;
                runtime.block_on(signer.sign(&mut request, Some(expires_in)))?;
                Ok(request.uri.to_string())
            })
        }
        "object_store" => {
            let store = object_store::aws::AmazonS3Builder::new()
                .with_bucket_name(s.bucket)
                .with_region(s.region)
                .with_access_key_id(s.access_key_id)
                .with_secret_access_key(s.secret_access_key)
                .with_token(s.session_token)
                .with_virtual_hosted_style_request(true)
                .build()?;
            Box::new(move |keys| {
                let paths = keys.iter().map(object_store::path::Path::parse).collect::<std::result::Result<Vec<_>, _>>()?;
                let urls = runtime.block_on(store.signed_urls(http::Method::GET, &paths, expires_in))?;
                Ok(urls.into_iter().map(String::from).collect())
            })
        }
        "opendal" => {
            let builder = opendal::services::S3::default()
                .bucket(&s.bucket)
                .region(&s.region)
                .access_key_id(&s.access_key_id)
                .secret_access_key(&s.secret_access_key)
                .session_token(&s.session_token)
                .disable_config_load()
                .disable_ec2_metadata()
                .enable_virtual_host_style();
            let operator = opendal::Operator::new(builder)?;
            each(move |key| Ok(runtime.block_on(operator.presign_read(key, expires_in))?.uri().to_string()))
        }
        _ => return Err("no such signer".into()),
    })
}

fn each(mut presign: impl FnMut(&str) -> Result<String> + 'static) -> Presign {
    Box::new(move |keys| keys.iter().map(|key| presign(key)).collect())
}

/// A key as a URL has it.
fn escaped(key: &str) -> String {
    let mut s = String::with_capacity(3 * key.len());
    for &b in key.as_bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => s.push(b as char),
            _ => s.push_str(&format!("%{b:02X}")),
        }
    }
    s
}
