"""What a route is given."""

from typing import Annotated

from fastapi import Depends, Request

from api.observe import Metrics
from api.services import Services
from api.streaming import Desk


def _services(request: Request) -> Services:
    services = request.app.state.services
    if not isinstance(services, Services):
        raise TypeError("the application's lifespan has not begun")
    return services


def _desk(request: Request) -> Desk:
    desk = request.app.state.desk
    if not isinstance(desk, Desk):
        raise TypeError("the application's lifespan has not begun")
    return desk


def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


GivenMetrics = Annotated[Metrics, Depends(_metrics)]
GivenDesk = Annotated[Desk, Depends(_desk)]
GivenServices = Annotated[Services, Depends(_services)]
