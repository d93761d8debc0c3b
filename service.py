"""The service: its routes, and nothing else. Every answer is a Reading, or a problem that says why there is none."""

import logging
import os
from pathlib import Path

import bentoml
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from lungcare import api, log, monitor, openapi, problem, screens, supervision
from lungcare.api import Batch
from lungcare.bundle import Bundle, open_bundle
from lungcare.guarded_service import GuardedService
from lungcare.language import preferred
from lungcare.problem import Problem
from lungcare.reading import Reading, Refusal
from lungcare.selfcheck import selfcheck
from lungcare.settings import Settings, SettingsError
from lungcare.store import StoredModel

logger = logging.getLogger("lungcare.service")
READ = ["GET", "HEAD"]
HAS_GPU = any(Path("/dev").glob("nvidia[0-9]*"))
# Beyond our own limit of time, so that ours answers first.
GRACE_SECONDS = 30

try:
    settings = Settings.from_environment()
except SettingsError as error:
    raise SystemExit(f"lungcare: {error}") from error
log.configure()
supervision.look_each_second()
# Read by uvicorn when it starts, after this: whose X-Forwarded-For counts.
os.environ["FORWARDED_ALLOW_IPS"] = settings.trusted_proxies
# BentoML would open a span of OpenTelemetry for each request, which nobody collects; false opens them.
os.environ.setdefault("OTEL_SDK_DISABLED", "true")


class Arguments(BaseModel):
    """What `bentoml build --arg` and `bentoml serve --arg` set. A bento remembers what it was built with."""

    model: str = Field(default_factory=lambda: open_bundle(settings.model).card.tag)


arguments = bentoml.use_arguments(Arguments)
web = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)


@bentoml.service(
    name="lungcare",
    service_class=GuardedService,
    workers=1,
    threads=settings.threads,
    traffic={"timeout": 2 * settings.timeout + GRACE_SECONDS},
    http={"host": "127.0.0.1"},
    logging={"access": {"enabled": False}},
    # Its own count requests by their path, whatever a sender wrote there; ours are in lungcare/monitor.py.
    metrics={"enabled": False},
    resources={"gpu": 1} if HAS_GPU else {},
)
@bentoml.asgi_app(web, path="/")
class LungCare:
    """Reads frontal chest films: how likely normal, pneumonia, tuberculosis and pneumothorax are. No diagnosis."""

    model = StoredModel(arguments.model)

    def __init__(self):
        import gradio_app
        from lungcare.reader import Reader

        log.configure_server()
        self.reader = Reader(Bundle(self.model.path), settings)
        self.verdict = selfcheck(self.reader)
        logger.log(logging.ERROR if self.verdict.stage else logging.INFO, "Self-check: %s", self.verdict.sentence())
        gradio_app.mount(web, self.reader)
        web.add_api_route(api.MODEL, self.card, methods=READ, response_model=None)

    def __is_ready__(self) -> bool:
        """Not ready, and so unhealthy in a container, where the model reads otherwise than when it was published."""
        return self.verdict.stage is None

    def card(self, request: Request) -> Response:
        """The card of the model that is served: a page for people, JSON for programs."""
        card = self.reader.bundle.card
        if "text/html" in request.headers.get("accept", ""):
            answer: Response = HTMLResponse(screens.linked(screens.model_page(card), settings))
        else:
            answer = JSONResponse(card.model_dump(mode="json"))
        answer.headers["vary"] = "Accept"
        return answer

    @bentoml.api(route=api.CLASSIFY)
    def classify(self, film: Path, ctx: bentoml.Context, map: bool = False) -> Reading:
        """Read one film: the four probabilities, and the finding that has the highest. map: whether to add the map."""
        answer = self._read("classify", film, ctx, map)
        if isinstance(answer, Problem):
            ctx.response.status_code = answer.status
            ctx.response.headers["content-type"] = problem.MEDIA_TYPE
        return answer

    @bentoml.api(route=api.CLASSIFY_BATCH)
    def classify_batch(self, films: list[Path], ctx: bentoml.Context) -> Batch:
        """Read several films: a reading or a problem for each, in their order."""
        return Batch(results=[self._read("classify_batch", film, ctx) for film in films], model=self.reader.tag)

    def _read(self, door: str, film: Path, ctx: bentoml.Context, has_map: bool = False) -> Reading | Problem:
        language = preferred(ctx.request.headers.get("accept-language"))
        picture = None

        def read() -> Reading | Refusal:
            nonlocal picture
            if not has_map:
                return self.reader.read_file(film, language)
            answer, picture = self.reader.read_with_map(film.read_bytes(), language)
            return answer

        answer = monitor.counted(door, read)
        if isinstance(answer, Refusal):
            return problem.refused(answer, settings.root_path)
        return api.mapped(answer, picture) if has_map else answer


LungCare.guard(settings, arguments.model)


@web.api_route("/", methods=READ)
def root() -> RedirectResponse:
    """The page is where a person wants to be."""
    return RedirectResponse(api.PAGE)


@web.api_route(api.CONDITIONS_ROUTE, methods=READ)
def conditions(request: Request, response: Response) -> api.ConditionTexts:
    """The conditions that are told apart."""
    response.headers["vary"] = "Accept-Language"
    return api.conditions(preferred(request.headers.get("accept-language")))


@web.api_route(api.METRICS, methods=READ)
def metrics() -> Response:
    """What was counted, for Prometheus."""
    return Response(monitor.exposition(), media_type=monitor.MEDIA_TYPE)


@web.api_route(api.OPENAPI, methods=READ)
def contract() -> JSONResponse:
    """The contract, as OpenAPI."""
    return JSONResponse(openapi.document(settings))


@web.api_route(api.HELP, methods=READ)
def docs(request: Request) -> HTMLResponse:
    """The contract, for people."""
    origin = str(request.base_url).rstrip("/")
    return HTMLResponse(openapi.help_page(settings, arguments.model, origin))


@web.api_route("/favicon.ico", methods=READ)
def icon() -> FileResponse:
    """What browsers show beside the address."""
    return FileResponse(api.PAGES / "icon.svg", media_type="image/svg+xml")
