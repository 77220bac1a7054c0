//! Exchanges a code over TLS. It cannot verify who it was.

use std::error::Error;

use oauth2::basic::BasicClient;
use oauth2::{AuthorizationCode, ClientId, TokenResponse, TokenUrl};

fn main() -> Result<(), Box<dyn Error>> {
    let client = BasicClient::new(ClientId::new("nTo1eRIub60vPb54WeE6aojPwYwImtl4".to_owned()))
        .set_token_uri(TokenUrl::new("https://acme.example.com/token".to_owned())?);
    let code = std::env::args().nth(1).ok_or("give the code")?;
    let http = ureq::AgentBuilder::new().redirects(0).build();
    let token = client.exchange_code(AuthorizationCode::new(code)).request(&http)?;
    println!("{:?}", token.expires_in());
    Ok(())
}
