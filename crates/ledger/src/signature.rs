//! Signatures in the format of `minisign` (Ed25519 over a BLAKE2b hash): `minisign -Vm FILE -p KEY.pub` checks what is
//! signed here, and its keys sign here.

use std::io::Cursor;

use minisign::{KeyPair, PublicKey, PublicKeyBox, SecretKey, SecretKeyBox, SignatureBox};

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
    let key = SecretSigner::read(secret)?;
    key.sign(bytes, comment)
}

/// A secret key that was read (and whose password was asked for) once.
pub struct SecretSigner(SecretKey);

impl SecretSigner {
    /// From the text of its file; a key with a password asks for it at the terminal.
    pub fn read(secret: &str) -> Result<Self, Error> {
        let wrong = |cause: minisign::PError| Error::Key(cause.to_string());
        let parse = || SecretKeyBox::from_string(secret).map_err(wrong);
        Ok(Self(match parse()?.into_unencrypted_secret_key() {
            Ok(key) => key,
            Err(_) => parse()?.into_secret_key(None).map_err(wrong)?,
        }))
    }

    /// The number that its signatures and its public key carry, in hexadecimal digits.
    pub fn key_id(&self) -> String {
        hexadecimal(self.0.keynum())
    }

    /// Signs `bytes` and, with them, `comment`.
    pub fn sign(&self, bytes: &[u8], comment: &str) -> Result<String, Error> {
        let signature = minisign::sign(None, &self.0, Cursor::new(bytes), Some(comment), None);
        Ok(signature.map_err(|cause| Error::Key(cause.to_string()))?.into_string())
    }
}

/// The number of a public key: what tells whose a signature claims to be. Anybody can claim; [`verify`] decides.
pub fn key_id(public: &str) -> Result<String, Error> {
    Ok(hexadecimal(public_key(public)?.keynum()))
}

/// The number of the key that a signature claims to be made with.
pub fn key_id_of_signature(signature: &str) -> Result<String, Error> {
    let signature = SignatureBox::from_string(signature);
    let signature = signature.map_err(|cause| Error::Signature(cause.to_string()))?;
    Ok(hexadecimal(signature.keynum()))
}

/// In the order in which `minisign` prints a key's number.
fn hexadecimal(number: &[u8]) -> String {
    number.iter().rev().map(|byte| format!("{byte:02X}")).collect()
}

/// The text of a key's file, or the one line of it that is the key.
fn public_key(text: &str) -> Result<PublicKey, Error> {
    let key = match text.trim().contains('\n') {
        true => PublicKeyBox::from_string(text).and_then(PublicKeyBox::into_public_key),
        false => PublicKey::from_base64(text.trim()),
    };
    key.map_err(|cause| Error::Key(cause.to_string()))
}

/// Checks a signature's text against a public key (its file's text, or the line that is the key); returns the comment
/// that was signed with it.
pub fn verify(bytes: &[u8], signature: &str, public: &str) -> Result<String, Error> {
    let key = public_key(public)?;
    let wrong = |cause: minisign::PError| Error::Signature(cause.to_string());
    let signature = SignatureBox::from_string(signature).map_err(wrong)?;
    minisign::verify(&key, &signature, Cursor::new(bytes), true, false, false).map_err(wrong)?;
    signature.trusted_comment().map_err(wrong)
}
