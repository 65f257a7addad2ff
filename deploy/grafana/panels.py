"""Panels and dashboards in the product's style, on Grafana's Foundation SDK."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders import common as common_options
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.models import common, dashboard

COLUMNS = 24
_STAT_HEIGHT, _GRAPH_HEIGHT = 4, 8
_SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNBOOKS = "https://traffic-manager.invalid/source/docs/runbooks"

NAMESPACE = 'namespace=~"$namespace"'
PODS = f'{NAMESPACE},instance=~"$pod"'

Query = tuple[str, str]
"""An expression of PromQL and the legend of its lines."""


@dataclass(frozen=True, slots=True)
class Panel:
    """What a panel shows. `warn` and `bad` colour a stat: above them, or below them if `bad` is lower than `warn`."""

    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    kind: Literal["stat", "graph"] = "graph"
    width: int = 8
    warn: float | None = None
    bad: float | None = None
    runbook: str | None = None
    decimals: int | None = None
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard: its panels in reading order, the first row of which says whether users are hurt."""

    name: str
    title: str
    description: str
    panels: Sequence[Panel]


def stat_panel(title: str, description: str, unit: str, expression: str, **options: object) -> Panel:
    """One number."""
    return Panel(title, description, unit, [(expression, title)], "stat", **{"width": 4, **options})  # type: ignore[arg-type]


def graph(title: str, description: str, unit: str, *queries: Query, **options: object) -> Panel:
    """Lines over time."""
    return Panel(title, description, unit, queries, "graph", **options)  # type: ignore[arg-type]


def rate(metric: str, selector: str = "", by: str = "") -> str:
    """The summed rate of a counter in the chosen pods."""
    inside = f"{PODS},{selector}" if selector else PODS
    return (
        f"sum by ({by}) (rate({metric}{{{inside}}}[$__rate_interval]))"
        if by
        else f"sum(rate({metric}{{{inside}}}[$__rate_interval]))"
    )


def quantile(share: float, histogram: str, by: str = "", selector: str = "") -> str:
    """A quantile of a histogram in the chosen pods; 0 while nothing was observed."""
    labels = f"le, {by}" if by else "le"
    inside = f"{PODS},{selector}" if selector else PODS
    observed = f"sum by ({labels}) (rate({histogram}_bucket{{{inside}}}[$__rate_interval]))"
    return f"(histogram_quantile({share:g}, {observed}) >= 0) or {rate(f'{histogram}_count', selector, by)} * 0"


def mean(histogram: str, by: str = "") -> str:
    """The mean of what a histogram observed; 0 while nothing was observed."""
    count = rate(f"{histogram}_count", by=by)
    return f"{rate(f'{histogram}_sum', by=by)} / ({count} > 0) or {count} * 0"


def gauge(fold: str, metric: str, by: str = "", selector: str = "") -> str:
    """A gauge of the chosen pods, folded by `sum`, `max`, `min` or `count`."""
    inside = f"{PODS},{selector}" if selector else PODS
    return f"{fold} by ({by}) ({metric}{{{inside}}})" if by else f"{fold}({metric}{{{inside}}})"


def build(board: Board, others: Sequence[Board]) -> dashboard.Dashboard:
    """The dashboard as Grafana's model. `others` are linked at the top."""
    builder = (
        builders.Dashboard(f"Traffic Manager / {board.title}")
        .uid(f"tm-{board.name}")
        .description(board.description)
        .tags(["traffic-manager"])
        .readonly()
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("utc")
        .with_variable(builders.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            builders.TextBoxVariable("namespace")
            .label("Namespace")
            .description("A regular expression; the local stack has no namespaces")
            .default_value(".*")
        )
        .with_variable(_pods())
        .annotation(_deployments())
        .link(_runbooks())
        .link(_traces())
    )
    for other in others:
        link = builders.DashboardLink(other.title).type(dashboard.DashboardLinkType.LINK).url(f"/d/tm-{other.name}")
        builder.link(link.keep_time(True).include_vars(True))
    for number, (panel, place) in enumerate(_placed(board.panels), start=1):
        builder.with_panel(_built(panel).id(number).grid_pos(place))
    built = builder.build()
    for variable in built.templating.list_val or [] if built.templating else []:
        if variable.name == "namespace":
            variable.current = dashboard.VariableOption(selected=True, text=".*", value=".*")
    return built


def _pods() -> builders.QueryVariable:
    return (
        builders.QueryVariable("pod")
        .label("Pod")
        .datasource(_SOURCE)
        .query(f"label_values(tm_build_info{{{NAMESPACE}}}, instance)")
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .include_all(True)
        .all_value(".*")
        .multi(True)
        .current(dashboard.VariableOption(selected=True, text="All", value="$__all"))
    )


def _deployments() -> builders.AnnotationQuery:
    """A mark at each start of a version: the moment from which a job reports a version that it did not report before."""
    seen = f"count by (job, version) (tm_build_info{{{NAMESPACE}}})"
    return (
        builders.AnnotationQuery()
        .name("Deployments")
        .datasource(_SOURCE)
        .enable(True)
        .icon_color("blue")
        .expr(f"{seen} unless {seen.replace('})', '} offset 2m)')}")
    )


def _runbooks() -> builders.DashboardLink:
    return _link("Runbooks", RUNBOOKS, "What to do for each alert")


def _traces() -> builders.DashboardLink:
    return _link("Traces", "/explore?left=%7B%22datasource%22:%22traces%22%7D", "Search the traces of the services")


def _link(title: str, url: str, tooltip: str) -> builders.DashboardLink:
    kind = dashboard.DashboardLinkType.LINK
    return builders.DashboardLink(title).type(kind).url(url).tooltip(tooltip).target_blank(True).icon("external link")


def _placed(panels: Sequence[Panel]) -> list[tuple[Panel, dashboard.GridPos]]:
    """Each panel with its place, row by row. Every row is as high as its panels and exactly as wide as the grid."""
    placed, x, y = [], 0, 0
    for panel in panels:
        height = _STAT_HEIGHT if panel.kind == "stat" else _GRAPH_HEIGHT
        placed.append((panel, dashboard.GridPos(h=height, w=panel.width, x=x, y=y)))
        x += panel.width
        if x > COLUMNS:
            raise ValueError(f"the row of the panel {panel.title!r} is {x} columns wide, not {COLUMNS}")
        if x == COLUMNS:
            x, y = 0, y + height
    if x:
        raise ValueError(f"the last row is {x} columns wide, not {COLUMNS}")
    return placed


def _built(panel: Panel) -> stat.Panel | timeseries.Panel:
    built = _stat(panel) if panel.kind == "stat" else _graph(panel)
    built.title(panel.title).description(panel.description).unit(panel.unit).datasource(_SOURCE)
    if panel.decimals is not None:
        built.decimals(panel.decimals)
    for letter, (expression, legend) in zip("ABCDEFGH", panel.queries, strict=False):
        query = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(letter).datasource(_SOURCE)
        built.with_target(query.range())
    if panel.runbook:
        built.links([_link("Runbook", f"{RUNBOOKS}/{panel.runbook}.md", panel.runbook)])
    return built


def _stat(panel: Panel) -> stat.Panel:
    return (
        stat.Panel()
        .thresholds(_thresholds(panel))
        .color_mode(common.BigValueColorMode.BACKGROUND if panel.bad is not None else common.BigValueColorMode.NONE)
        .graph_mode(common.BigValueGraphMode.AREA)
        .reduce_options(common_options.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def _thresholds(panel: Panel) -> builders.ThresholdsConfig:
    steps = [dashboard.Threshold(value=None, color="green")]
    if panel.bad is not None and panel.warn is not None:
        below = panel.bad < panel.warn
        first, last = ("red", "green") if below else ("green", "red")
        low, high = sorted((panel.warn, panel.bad))
        middle = [dashboard.Threshold(value=low, color="orange")] if low < high else []
        steps = [
            dashboard.Threshold(value=None, color=first),
            *middle,
            dashboard.Threshold(value=high, color=last),
        ]
    return builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def _graph(panel: Panel) -> timeseries.Panel:
    legend = (
        common_options.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    tooltip = common_options.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    built = timeseries.Panel().legend(legend).tooltip(tooltip.sort(common.SortOrder.DESCENDING))
    built.line_width(1).fill_opacity(20 if panel.stacked else 5).show_points(common.VisibilityMode.NEVER)
    if panel.stacked:
        built.stacking(common_options.StackingConfig().mode(common.StackingMode.NORMAL))
    return built
