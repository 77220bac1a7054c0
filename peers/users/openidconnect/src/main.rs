//! Exchanges a code over TLS, and verifies who it was.

use std::error::Error;

use openidconnect::core::{CoreClient, CoreProviderMetadata};
use openidconnect::{AuthorizationCode, ClientId, IssuerUrl, Nonce, TokenResponse};

fn main() -> Result<(), Box<dyn Error>> {
    let http = ureq::AgentBuilder::new().redirects(0).build();
    let issuer = IssuerUrl::new("https://acme.example.com".to_owned())?;
    let metadata = CoreProviderMetadata::discover(&issuer, &http)?;
    let id = ClientId::new("nTo1eRIub60vPb54WeE6aojPwYwImtl4".to_owned());
    let client = CoreClient::from_provider_metadata(metadata, id, None);
    let code = std::env::args().nth(1).ok_or("give the code")?;
    let answer = client.exchange_code(AuthorizationCode::new(code))?.request(&http)?;
    let id_token = answer.id_token().ok_or("no id token")?;
    println!("{:?}", id_token.claims(&client.id_token_verifier(), |_: Option<&Nonce>| Ok(()))?.subject());
    Ok(())
}
