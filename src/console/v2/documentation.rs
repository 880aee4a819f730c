//! The OpenAPI document, made from the operations themselves.

use utoipa::ToSchema;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, InfoBuilder, OpenApi, OpenApiBuilder, PathsBuilder, Ref, RefOr, Required,
};

use super::envelope::{ErrorBody, Meta, Pagination};
use super::error::FieldError;
use super::keys::once::LONGEST;
use super::operation::Operation;
use super::{ForEach, Liveness, each};

/// What is gathered of the operations.
pub(super) struct Documentation {
    paths: PathsBuilder,
    components: Components,
}

/// Returns the OpenAPI document of the `/v2` API.
#[must_use]
pub fn openapi() -> OpenApi {
    let mut documentation = Documentation {
        paths: PathsBuilder::new(),
        components: Components::new(),
    };
    documentation.add::<Meta<'_>>();
    documentation.add::<Pagination>();
    documentation.add::<FieldError>();
    documentation.add::<ErrorBody<'_>>();
    documentation.add_liveness();
    each(&mut documentation);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A root key"))
        .build();
    documentation
        .components
        .add_security_scheme("rootKey", SecurityScheme::Http(bearer));
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("convox key service")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "API keys that can be rerolled. Compatible with the /v2 API of Unkey.",
                )),
        )
        .paths(documentation.paths)
        .components(Some(documentation.components))
        .build()
}

impl Documentation {
    fn add<T: ToSchema>(&mut self) {
        let mut schemas = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut schemas);
        for (name, schema) in schemas {
            self.components.schemas.entry(name).or_insert(schema);
        }
    }

    fn add_liveness(&mut self) {
        self.add::<Liveness>();
        let object = ObjectBuilder::new()
            .property("meta", reference("Meta"))
            .property("data", reference("Liveness"))
            .required("meta")
            .required("data");
        let object = content(RefOr::T(Schema::Object(object.build())));
        let response = ResponseBuilder::new()
            .description("It is")
            .content("application/json", object);
        let operation = OperationBuilder::new()
            .operation_id(Some("liveness"))
            .summary(Some("Tell that the server is there"))
            .tag("liveness")
            .response("200", response.build())
            .build();
        let paths = std::mem::take(&mut self.paths);
        self.paths = paths.path("/v2/liveness", PathItem::new(HttpMethod::Get, operation));
    }
}

impl ForEach for Documentation {
    fn operation<O: Operation>(&mut self) {
        self.add::<O::Request>();
        let mut answers = Vec::new();
        <O::Data as ToSchema>::schemas(&mut answers);
        for (name, schema) in answers {
            self.components.schemas.entry(name).or_insert(schema);
        }
        let body = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content("application/json", content(reference(&O::Request::name())))
            .build();
        let success = ObjectBuilder::new()
            .property("meta", reference("Meta"))
            .property("data", <O::Data as utoipa::PartialSchema>::schema())
            .property("pagination", reference("Pagination"))
            .required("meta");
        let failure = ObjectBuilder::new()
            .property("meta", reference("Meta"))
            .property("error", reference("ErrorBody"))
            .required("meta")
            .required("error");
        let (group, _) = O::NAME.split_once('.').unwrap_or((O::NAME, ""));
        let response = |description: &str, kinds: &[&str], object: ObjectBuilder| {
            let object = content(RefOr::T(Schema::Object(object.build())));
            let response = ResponseBuilder::new().description(description);
            let response = kinds.iter().fold(response, |response, kind| {
                response.content(*kind, object.clone())
            });
            response.build()
        };
        let operation = OperationBuilder::new()
            .operation_id(Some(O::NAME))
            .summary(Some(O::SUMMARY))
            .tag(group)
            .parameters(O::MAKES_SECRET.then(|| [idempotency_key()]))
            .request_body(Some(body))
            .security(SecurityRequirement::new("rootKey", Vec::<String>::new()))
            .response("200", response("Done", &["application/json"], success))
            .response(
                "default",
                // Whoever takes a problem is given one.
                response(
                    "Not done",
                    &["application/json", "application/problem+json"],
                    failure,
                ),
            )
            .build();
        let paths = std::mem::take(&mut self.paths);
        let path = format!("/v2/{}", O::NAME);
        self.paths = paths.path(path, PathItem::new(HttpMethod::Post, operation));
    }
}

/// The header by which a request that makes a secret may be repeated.
fn idempotency_key() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(LONGEST))
        // Blanks around it do not count.
        .pattern(Some("^[!-~]([ -~]*[!-~])?$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "A repetition of the same request with the same key gets the same answer for 24 hours.",
        ))
        .schema(Some(RefOr::T(Schema::Object(schema.build()))))
        .build()
}

fn reference(name: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(name))
}

fn content(schema: RefOr<Schema>) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(schema)).build()
}
