"""`yt8m compile`."""

from pathlib import Path

import click

from pipelines.cli.options import (
    Place,
    cluster_file_option,
    image_option,
    offloaded_option,
    recipe_argument,
    settings_option,
)
from pipelines.kubeflow.image import ImageName, default_image
from pipelines.recipe.load import read_recipe
from yt8m.errors import ConfigError
from yt8m.words import count


@click.command("compile")
@recipe_argument
@click.option(
    "-o",
    "--output",
    required=True,
    type=Place(written=True, dir_okay=False, path_type=Path),
    metavar="FILE.yaml",
    help="File to write. Missing folders are created.",
)
@image_option
@click.option(
    "--kubernetes-manifest",
    is_flag=True,
    help="Write Kubernetes resources of kind Pipeline and PipelineVersion instead.",
)
@click.option("--namespace", default="kubeflow", show_default=True, help="Kubernetes namespace of these resources.")
@cluster_file_option
@offloaded_option
@settings_option
def compile_recipe(  # noqa: PLR0917 click passes them by name
    recipe: Path,
    output: Path,
    image: str,
    cluster_file: Path | None,
    kubernetes_manifest: bool,
    namespace: str,
    offloaded: bool,
    settings: tuple[str, ...],
) -> None:
    """Compile RECIPE to a pipeline for Kubeflow Pipelines."""
    from pipelines.kubeflow.compile import Compilation
    from pipelines.kubeflow.size import run_size

    if output.suffix not in {".yaml", ".yml"}:  # as KFP's compiler requires
        raise ConfigError(f"--output {output}: expected a file that ends in .yaml or .yml.")
    compilation = Compilation(read_recipe(recipe, settings), str(recipe), read_data=False)
    image, resources = image or default_image(), compilation.resources(cluster_file)
    compiled = compilation.build(image, resources)
    size = run_size(*compiled.specs)
    size.check(compilation.plan.name, offloaded=offloaded)
    output.parent.mkdir(parents=True, exist_ok=True)
    if kubernetes_manifest:
        compiled.write_manifest(output, namespace)
    else:
        compiled.write(output)
    click.echo(f"{output}: {count(len(compilation.plan.nodes), 'node')}, {output.stat().st_size / 1000:.0f} kB; {size}")
    if not ImageName.parse(image).registry:
        click.echo(f"The image {image} has no registry, so no cluster can pull it: give --image.")
