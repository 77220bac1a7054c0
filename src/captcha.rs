//! Captchas: required before a verification code is sent.

use std::fmt;

use zeroize::Zeroizing;

use crate::call::{Call, Reply};
use crate::client::Client;
use crate::context::{Context, Draft};
use crate::device::Device;
use crate::error::InvalidInput;
use crate::sealed::{Inside, Sealed};
use crate::secret::{CaptchaToken, Redacted};
use crate::wire::endpoints::{CAPTCHA, CAPTCHA_VERIFY};
use crate::wire::responses::{CaptchaParts, Failure, Received, captcha, captcha_token};

impl Client {
    /// Asks for a captcha, which the user of `device` solves before a verification code is sent.
    ///
    /// ```
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let captcha = client.captcha(&device).send()?;
    /// let picture = captcha.picture().ok_or("a slider has a picture")?;
    /// assert_eq!(picture.media_type(), "image/png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Get a captcha](https://open.bccastle.com/en/development/ciam/api/v2/sdk/captcha/get-captcha.html).
    ///
    /// # Errors
    /// From [`send`](Call::send): any of [`Error`](crate::Error)'s.
    pub fn captcha(&self, device: &Device) -> Call<Captcha> {
        let context = Context { client: self.clone(), device: device.clone() };
        let draft = context.draft(&CAPTCHA, &[]);
        Call::new(context, None, draft, ())
    }
}

impl Client {
    /// Takes up a captcha that was fetched elsewhere, by its token: by another process, whose pictures the user has seen.
    ///
    /// It has no picture, so a solution beyond the picture's edge is not noticed here.
    ///
    /// ```
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let token = client.captcha(&device).send()?.token().expose().to_owned();
    /// # let x = tenant.captcha_solution(&token).ok_or("there is one")?;
    /// // Another request showed the picture; `token` and `x` come back from the front end.
    /// let captcha = client.captcha_from_token(&device, &token);
    /// let pass = captcha.solve(x, "15201657312").send()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn captcha_from_token(&self, device: &Device, token: &str) -> Captcha {
        Captcha {
            context: Context { client: self.clone(), device: device.clone() },
            token: CaptchaToken::new(token),
            picture: None,
            piece: None,
            secret_key: None,
            words: Vec::new(),
        }
    }
}

/// A captcha: a picture with a hole, and the piece that fits.
///
/// Which parts there are depends on the kind that the tenant uses; the slider, which the pages document, has a picture and
/// a piece.
///
/// ```
/// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
/// let captcha = client.captcha(&device).send()?;
/// if let (Some(picture), Some(piece)) = (captcha.picture(), captcha.piece()) {
///     println!("show {} bytes of {}", picture.bytes().len(), picture.media_type());
///     println!("and the piece, which the user moves sideways into the hole: {:?} pixels", piece.size());
/// }
/// // `x` is how far the user moved it.
/// # let x = tenant.captcha_solution(captcha.token().expose()).ok_or("there is one")?;
/// let pass = captcha.solve(x, "15201657312").send()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
#[doc = include_str!("../docs/stages/captcha.md")]
#[derive(Clone)]
pub struct Captcha {
    context: Context,
    token: CaptchaToken,
    picture: Option<CaptchaImage>,
    piece: Option<CaptchaImage>,
    secret_key: Option<Zeroizing<String>>,
    words: Vec<String>,
}

impl Captcha {
    /// The picture with the hole.
    #[must_use]
    pub fn picture(&self) -> Option<&CaptchaImage> {
        self.picture.as_ref()
    }

    /// The piece that fits into the hole, as high as the picture: it has to be moved sideways only.
    #[must_use]
    pub fn piece(&self) -> Option<&CaptchaImage> {
        self.piece.as_ref()
    }

    /// The words to click on, in a captcha of that kind; empty in a slider.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The captcha's own token: what a front end needs that solves it by itself.
    #[must_use]
    pub fn token(&self) -> &CaptchaToken {
        &self.token
    }

    /// The key that some kinds give out with the captcha. The page of the solution knows no use for it.
    #[must_use]
    pub fn secret_key(&self) -> Option<&str> {
        self.secret_key.as_deref().map(String::as_str)
    }

    /// Solves a slider: `x` is how far the piece was moved, in pixels of the picture's own width.
    ///
    /// `sender` is the mobile number or e-mail address that will receive the code, exactly as it will be given to
    /// [`phone`](crate::PendingBind::phone) or [`email`](crate::PendingBind::email).
    ///
    /// A captcha is good for one try: if it is refused, ask for another one.
    ///
    /// ```
    /// use idaas_login::Advice;
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// # let captcha = client.captcha(&device).send()?;
    /// # let x = tenant.captcha_solution(captcha.token().expose()).ok_or("there is one")?;
    /// // `x` is how far the user moved the piece.
    /// let pass = captcha.solve(x, "15201657312").send()?;
    /// assert_eq!(pass.sender(), "15201657312");
    ///
    /// // A captcha is good for one try.
    /// let error = captcha.solve(x, "15201657312").send().unwrap_err();
    /// assert_eq!(error.advice(), Advice::NewCaptcha);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Page: [Verify a captcha](https://open.bccastle.com/en/development/ciam/api/v2/sdk/captcha/verify-captcha.html).
    ///
    /// # Errors
    /// From [`send`](Call::send): any of [`Error`](crate::Error)'s. An `x` outside the picture and an
    /// empty sender are refused before anything is sent; a wrong `x` is refused by the API, class
    /// [`NewCaptcha`](crate::ErrorClass::NewCaptcha).
    pub fn solve(&self, x: f64, sender: impl Into<String>) -> Call<CaptchaPass> {
        let sender = Zeroizing::new(sender.into());
        let draft = match self.point(x) {
            Ok(point) => self.context.draft(&CAPTCHA_VERIFY, &[&point, self.token.expose(), &sender]),
            Err(invalid) => Draft::invalid(&CAPTCHA_VERIFY, invalid),
        };
        Call::new(self.context.clone(), None, draft, sender)
    }

    /// The solution as the page prints it: `{"x":237.0,"y":5.0}`, where y is fixed.
    fn point(&self, x: f64) -> Result<String, InvalidInput> {
        let width = self.picture.as_ref().and_then(CaptchaImage::size).map(|(width, _)| f64::from(width));
        if !(0.0..=width.unwrap_or(f64::MAX)).contains(&x) {
            return Err(InvalidInput::new("x", "is outside the picture"));
        }
        Ok(format!(r#"{{"x":{x:?},"y":5.0}}"#))
    }
}

impl Sealed for Captcha {}

impl Reply for Captcha {
    type Kept = ();

    fn read((): (), context: Context, received: Received<'_>, _: Inside) -> Result<Self, Failure> {
        let CaptchaParts { token, picture, piece, secret_key, words } = captcha(received)?;
        Ok(Self {
            context,
            token,
            picture: picture.map(CaptchaImage),
            piece: piece.map(CaptchaImage),
            secret_key,
            words,
        })
    }
}

impl fmt::Debug for Captcha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captcha")
            .field("token", &self.token)
            .field("picture", &self.picture)
            .field("piece", &self.piece)
            .field("words", &self.words.len())
            .finish_non_exhaustive()
    }
}

/// An image of a captcha, as the bytes of its file.
#[derive(Clone, PartialEq, Eq)]
pub struct CaptchaImage(Vec<u8>);

impl CaptchaImage {
    /// The bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The media type: `image/png`, `image/jpeg`, or `application/octet-stream` if it is neither.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        match self.0.as_slice() {
            [0x89, b'P', b'N', b'G', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            _ => "application/octet-stream",
        }
    }

    /// Width and height in pixels; `None` if it is neither PNG nor JPEG.
    ///
    /// ```
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let captcha = client.captcha(&device).send()?;
    /// # let (shown_width, moved) = (930.0, 300.0);
    /// // The user moved the piece by `moved` pixels of a picture that is shown `shown_width` pixels wide.
    /// let (width, _) = captcha.picture().and_then(|picture| picture.size()).ok_or("it is a PNG")?;
    /// let x = moved * f64::from(width) / shown_width;
    /// # assert_eq!((width, x), (310, 100.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn size(&self) -> Option<(u32, u32)> {
        let size = imagesize::blob_size(&self.0).ok()?;
        Some((size.width.try_into().ok()?, size.height.try_into().ok()?))
    }
}

impl fmt::Debug for CaptchaImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.media_type(), self.0.len())
    }
}

/// The right to ask for verification codes to one destination: a solved captcha.
///
/// ```
/// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
/// let stage = client.login(device).phone("15201657312");
/// # let pass = idaas_login::emulator::examples::pass(&tenant, &stage)?;
/// // The code may be asked for again with the same pass, but not for another destination.
/// stage.send_code(&pass).send()?;
/// let other = stage.back().phone("13800138000");
/// assert!(other.send_code(&pass).send().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CaptchaPass {
    sender: Zeroizing<String>,
    token: Zeroizing<String>,
}

impl CaptchaPass {
    /// Takes up a pass that a front end obtained, for the destination `sender` that the captcha was solved for.
    ///
    /// The API's response to the solution has it as `captcha_token`.
    ///
    /// ```
    /// use idaas_login::CaptchaPass;
    ///
    /// # let (tenant, client, device) = idaas_login::emulator::examples::client()?;
    /// let stage = client.login(device).phone("15201657312");
    /// # let pass = idaas_login::emulator::examples::pass(&tenant, &stage)?;
    /// # let token = pass.expose();
    /// // The front end solved the captcha itself, and sends `token`.
    /// let pass = CaptchaPass::from_token("15201657312", token);
    /// stage.send_code(&pass).send()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_token(sender: impl Into<String>, token: impl Into<String>) -> Self {
        Self { sender: Zeroizing::new(sender.into()), token: Zeroizing::new(token.into()) }
    }

    /// The destination that it was made for.
    #[must_use]
    pub fn sender(&self) -> &str {
        &self.sender
    }

    /// The text of the token. Do not log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.token
    }

    /// Checks that the pass was made for `destination`, and gives its token.
    pub(crate) fn token_for(&self, destination: &str) -> Result<&str, InvalidInput> {
        if *self.sender == destination {
            Ok(&self.token)
        } else {
            Err(InvalidInput::new("captcha_token", "was made for another destination"))
        }
    }
}

impl Sealed for CaptchaPass {}

impl Reply for CaptchaPass {
    type Kept = Zeroizing<String>;

    fn read(
        sender: Zeroizing<String>,
        _: Context,
        received: Received<'_>,
        _: Inside,
    ) -> Result<Self, Failure> {
        Ok(Self { sender, token: captcha_token(received)? })
    }
}

impl fmt::Debug for CaptchaPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptchaPass").field("sender", &Redacted).field("token", &Redacted).finish()
    }
}
