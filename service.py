"""The service: its routes, and nothing else. Every answer is a Reading or a Refusal turned to JSON."""

from pathlib import Path

import bentoml
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from pydantic import BaseModel, Field

from lungcare import api, screens
from lungcare.bundle import Bundle, open_bundle
from lungcare.guard import Guard
from lungcare.language import preferred
from lungcare.reading import Reading, Refusal
from lungcare.settings import Settings

HAS_GPU = any(Path("/dev").glob("nvidia[0-9]*"))

settings = Settings.from_environment()


class Arguments(BaseModel):
    """What `bentoml build --arg` and `bentoml serve --arg` set. A bento remembers what it was built with."""

    model: str = Field(default_factory=lambda: open_bundle(settings.model).card.tag)


arguments = bentoml.use_arguments(Arguments)
web = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)


@bentoml.service(
    name="lungcare",
    service_class=api.DescribedService,
    workers=1,
    threads=settings.threads,
    traffic={"timeout": 120},
    http={"host": "127.0.0.1"},
    resources={"gpu": 1} if HAS_GPU else {},
)
@bentoml.asgi_app(web, path="/")
class LungCare:
    """Reads frontal chest films: how likely normal, pneumonia, tuberculosis and pneumothorax are. No diagnosis."""

    model = bentoml.models.BentoModel(arguments.model)

    def __init__(self):
        import gradio_app
        from lungcare.reader import Reader

        self.reader = Reader(Bundle(self.model.path), settings)
        gradio_app.mount(web, self.reader)
        web.add_api_route(api.MODEL, self.card, methods=["GET"], response_class=HTMLResponse)

    def card(self) -> str:
        """The card of the model that is served, for people."""
        return screens.model_page(self.reader.bundle.card)

    @bentoml.api(route=api.CLASSIFY)
    def classify(self, film: Path, ctx: bentoml.Context) -> Reading:
        """Read one film: the four probabilities, and the finding that has the highest."""
        answer = self.reader.read_file(film, preferred(ctx.request.headers.get("accept-language")))
        if isinstance(answer, Refusal):
            ctx.response.status_code = api.STATUS_BY_CODE[answer.code]
        return answer


LungCare.add_asgi_middleware(Guard, path=api.CLASSIFY, max_bytes=settings.max_bytes, model=arguments.model)


@web.get("/")
def root() -> RedirectResponse:
    """The page is where a person wants to be."""
    return RedirectResponse(api.PAGE)


@web.get(api.HELP)
def docs(request: Request) -> HTMLResponse:
    """How programs call the service."""
    return HTMLResponse(api.help_page(settings, arguments.model, str(request.base_url).rstrip("/")))


@web.get("/favicon.ico")
def icon() -> FileResponse:
    """What browsers show beside the address."""
    return FileResponse(api.PAGES / "icon.svg", media_type="image/svg+xml")
