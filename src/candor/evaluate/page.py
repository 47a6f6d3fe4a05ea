"""Pages of reports: one look for all, in one file without any link to elsewhere."""

from jinja2 import ChoiceLoader, Environment, PackageLoader


def page(package: str, template: str, **context: object) -> str:
    """The HTML of `templates/TEMPLATE` of `package`, which may extend `base.html.jinja`; what is put in is escaped."""
    loader = ChoiceLoader([PackageLoader(package), PackageLoader("candor.evaluate")])
    return Environment(loader=loader, autoescape=True, trim_blocks=True).get_template(template).render(**context)
