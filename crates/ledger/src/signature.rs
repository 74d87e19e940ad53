//! Signatures in the format of `minisign` (Ed25519 over a BLAKE2b hash): `minisign -Vm FILE -p KEY.pub` checks what is
//! signed here, and its keys sign here.

use std::io::Cursor;

use minisign::{KeyPair, PublicKeyBox, SecretKeyBox, SignatureBox};

use crate::Error;

/// A new pair of keys as the texts of their files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Not encrypted: whoever reads the file can sign.
    pub secret: String,
    pub public: String,
}

/// Makes a pair of keys from the system's randomness.
pub fn generate() -> Result<Keys, Error> {
    let wrong = |cause: minisign::PError| Error::Key(cause.to_string());
    let KeyPair { pk, sk } = KeyPair::generate_unencrypted_keypair().map_err(wrong)?;
    Ok(Keys {
        secret: sk.to_box(None).map_err(wrong)?.into_string(),
        public: pk.to_box().map_err(wrong)?.into_string(),
    })
}

/// Signs `bytes` with a secret key's text; `comment` is signed too. A key with a password asks for it at the terminal.
pub fn sign(bytes: &[u8], secret: &str, comment: &str) -> Result<String, Error> {
    let wrong = |cause: minisign::PError| Error::Key(cause.to_string());
    let parse = || SecretKeyBox::from_string(secret).map_err(wrong);
    let key = match parse()?.into_unencrypted_secret_key() {
        Ok(key) => key,
        Err(_) => parse()?.into_secret_key(None).map_err(wrong)?,
    };
    let signature = minisign::sign(None, &key, Cursor::new(bytes), Some(comment), None);
    Ok(signature.map_err(wrong)?.into_string())
}

/// Checks a signature's text against a public key's text; returns the comment that was signed with it.
pub fn verify(bytes: &[u8], signature: &str, public: &str) -> Result<String, Error> {
    let key = PublicKeyBox::from_string(public).and_then(PublicKeyBox::into_public_key);
    let key = key.map_err(|cause| Error::Key(cause.to_string()))?;
    let wrong = |cause: minisign::PError| Error::Signature(cause.to_string());
    let signature = SignatureBox::from_string(signature).map_err(wrong)?;
    minisign::verify(&key, &signature, Cursor::new(bytes), true, false, false).map_err(wrong)?;
    signature.trusted_comment().map_err(wrong)
}
