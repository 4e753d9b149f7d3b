"""Rounds of improvement: drive and record with the present model, train on all data so far, swap in, measure, again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ttdm_ros.dynamics.bundle import load_model
from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.child_commands import report_command, train_command
from ttdm_ros.evaluation.demo import EXPLORATION
from ttdm_ros.evaluation.demo_view import DemoView
from ttdm_ros.evaluation.driver import Driver
from ttdm_ros.evaluation.interruption import ended_by_signals
from ttdm_ros.evaluation.processes import ProcessGroup
from ttdm_ros.evaluation.rounds import Round, Rounds, RoundsFolder, Run, read_json
from ttdm_ros.evaluation.rounds_report import as_table, write_rounds_report
from ttdm_ros.mpc.settings_file import load_mpc
from ttdm_ros.paths import find_config


@dataclass(frozen=True, slots=True, kw_only=True)
class ImproveOptions:
    """What to drive, how often, and where the result goes.

    Attributes:
        output: folder of the rounds; those of the same run that are finished there are gone on from.
        robot: robot of config/robots, or a path to a .yaml or .urdf file.
        base_frame: link of a .urdf at which the arm begins; None for the robot's own.
        tip_frame: link of a .urdf at which the arm ends; None for the robot's own.
        tasks: tasks of config/tasks, or paths to files; with more than one, the controller starts anew for each.
        plant: plant of config/plants, or a path to a file; None for an arm that is up already on the topics.
        model: model of models/, or a path to a bundle; the one to begin with.
        rounds: how many at most.
        min_gain: share by which a round has to lower the RMSE, else it is the last.
        exploration: share of the torque limits that is added while data is recorded.
        domain: ROS domain; None for one that is free, or, with an arm that is up already, that of the environment.
        params_file: parameter file for the nodes; the trainings take the settings of the problem from it.
        use_sim_time: whether time comes from ``/clock``, with an arm that is up already.
    """

    output: Path = Path("improve_output")
    robot: str = "panda"
    base_frame: str | None = None
    tip_frame: str | None = None
    tasks: tuple[str, ...] = ("demo",)
    plant: str | None = "payload_friction"
    model: str = "nominal"
    rounds: int = 3
    min_gain: float = 0.05
    exploration: float = EXPLORATION
    domain: int | None = None
    params_file: Path | None = None
    use_sim_time: bool = False

    @property
    def robot_arguments(self) -> dict[str, str | None]:
        """What names the robot, for nodes and commands."""
        return {"robot": self.robot, "base_frame": self.base_frame, "tip_frame": self.tip_frame}


def run_improve(options: ImproveOptions, console: Console) -> Rounds:
    """Run rounds until they are done or no longer pay; figures and report are written after each.

    Raises:
        TtdmError: an option is wrong, a process ended early or badly, a training failed, a model was refused, or the
            controller found a fault. What was recorded and trained until then is kept.
    """
    from ttdm_ros.systems.arm import load_arm

    _check_plant(options)
    for task in options.tasks:
        find_config("tasks", task)
    if len(set(options.tasks)) < len(options.tasks):
        raise TtdmError(f"each task is to be named once; got {', '.join(options.tasks)}")
    if options.plant is not None:
        find_config("plants", options.plant)
    load_arm(options.robot, base_frame=options.base_frame, tip_frame=options.tip_frame)
    load_model(options.model)
    folder = RoundsFolder(options.output.expanduser().absolute())
    run = Run(
        robot=options.robot,
        base_frame=options.base_frame,
        tip_frame=options.tip_frame,
        tasks=options.tasks,
        plant=options.plant,
        model=options.model,
        exploration=options.exploration,
        params_file=None if options.params_file is None else str(options.params_file),
    )
    rounds = folder.open(run).model_copy(update={"problem": None})
    if rounds.rounds:
        console.print(f"{len(rounds.rounds)} finished rounds are in {folder.path}", highlight=False)
    if (ended := rounds.verdict(options.rounds, options.min_gain)) is None:
        with ended_by_signals(folder.path, console), ProcessGroup() as group, DemoView(console) as view:
            rounds = _Improvement(options, folder, rounds, group, view).run()
            view.stage("stopping")
            problems = [each.problem for each in group.stop_all() if each.problem]
            rounds = rounds.model_copy(update={"problem": rounds.problem or next(iter(problems), None)})
    else:
        rounds = rounds.model_copy(update={"ended": ended})
    _write(rounds, folder)
    console.print(as_table(rounds))
    if rounds.ended is not None:
        console.print(f"\nended    {rounds.ended}", highlight=False)
    if rounds.best is not None:
        console.print(f"model    {_path(rounds.best_round, folder)}", highlight=False)
    console.print(f"report   {folder.report}\nfigures  {folder.file}", highlight=False)
    if rounds.problem is not None:
        raise TtdmError(rounds.problem)
    return rounds


class _Improvement:
    """The rounds of one start of the program."""

    def __init__(
        self, options: ImproveOptions, folder: RoundsFolder, rounds: Rounds, group: ProcessGroup, view: DemoView
    ) -> None:
        self._options, self._folder, self._rounds, self._view = options, folder, rounds, view
        self._driver = Driver(
            group,
            view,
            logs=folder.logs,
            robot=options.robot_arguments,
            plant=options.plant,
            domain=options.domain,
            params_file=options.params_file,
            use_sim_time=options.use_sim_time,
        )

    def run(self) -> Rounds:
        """Run them; a failure is told in ``problem``."""
        try:
            while (ended := self._rounds.verdict(self._options.rounds, self._options.min_gain)) is None:
                self._round(len(self._rounds.rounds))
            self._rounds = self._rounds.model_copy(update={"ended": ended})
            self._view.say(f"  {ended}")
            if self._rounds.best_round is not self._rounds.rounds[-1]:
                self._driver.use(_path(self._rounds.best_round, self._folder))
        except TtdmError as error:
            return self._rounds.model_copy(update={"problem": str(error), "ended": None})
        return self._rounds

    def _round(self, number: int) -> None:
        options, home = self._options, self._folder.round(number)
        home.mkdir()
        self._view.say(f"round {number}" if number else "round 0: the model to begin with")
        if number == 0:
            fingerprint, errors = load_model(options.model).fingerprint, self._measure(number, options.model)
            finished = Round(
                number=0, model=options.model, fingerprint=fingerprint, rmse_by_task=errors, rmse_mm=_mean(errors)
            )
        else:
            finished = self._learn(number)
        rounds = (*self._rounds.rounds, finished)
        self._rounds = self._rounds.model_copy(update={"rounds": rounds, "ended": None})
        self._rounds = self._rounds.model_copy(update={"best": self._rounds.best_round.model})
        self._view.say(f"  round {number}: {finished.rmse_mm:.2f} mm")
        _write(self._rounds, self._folder)

    def _learn(self, number: int) -> Round:
        """Record with the present model, train, swap the new one in, measure it."""
        options, home = self._options, self._folder.round(number)
        present = _path(self._rounds.rounds[-1], self._folder)
        names = {task: f"bag{_suffix(task, options.tasks)}" for task in options.tasks}
        for task, name in names.items():
            self._driver.drive(task, home / name, model=present, exploration=options.exploration, seed=number)
        bags = tuple(f"{home.name}/{name}" for name in names.values())
        trained = self._train(number, bags)
        bundle = home / "model" / home.name
        self._driver.use(str(bundle))
        errors = self._measure(number, str(bundle))
        return Round(
            number=number,
            model=bundle.relative_to(self._folder.path).as_posix(),
            fingerprint=trained["models"][0]["fingerprint"],
            bags=bags,
            samples={key: trained["samples"][key] for key in ("training", "validation")},
            validation=trained["models"][0]["metrics"],
            rmse_by_task=errors,
            rmse_mm=_mean(errors),
        )

    def _train(self, number: int, bags: Sequence[str]) -> dict[str, Any]:
        """Train on the bags of all rounds, and return what the training tells of itself."""
        home = self._folder.round(number)
        names = [*(bag for each in self._rounds.rounds for bag in each.bags), *bags]
        paths = [self._folder.path / name for name in names]
        command = train_command(
            paths,
            self._options.robot_arguments,
            out=home / "model",
            name=home.name,
            sensitivities=self._folder.sensitivities,
            mpc=self._options.params_file,
        )
        stage = f"round {number}: learning from {len(paths)} bag{'s' * (len(paths) > 1)} (takes minutes)"
        self._driver.run_beside("train", command, stage)
        return read_json(home / "model" / "training.json")

    def _measure(self, number: int, model: str) -> dict[str, float]:
        """Drive every task without exploration, and return the RMSE of the tip for each [mm]."""
        options, home = self._options, self._folder.round(number)
        errors: dict[str, float] = {}
        for task in options.tasks:
            bag = home / f"check{_suffix(task, options.tasks)}"
            self._driver.drive(task, bag, model=model, exploration=0.0)
            figures = bag.with_suffix(".json")
            command = report_command(bag, options.robot_arguments, page=bag.with_suffix(".html"), figures=figures)
            self._driver.run_beside("report", command, f"round {number}: measuring")
            rmse = (read_json(figures).get("tracking") or {}).get("rmse_mm")
            if rmse is None:
                raise TtdmError(f"the bag {bag} holds no drive that can be measured; see {self._folder.logs}")
            errors[task] = rmse
        return errors


def _check_plant(options: ImproveOptions) -> None:
    """Refuse what does not go together."""
    if options.plant is None and options.domain is not None:
        raise TtdmError("with an arm that is up already the ROS domain is that of the environment; set ROS_DOMAIN_ID")
    if options.plant is not None and options.use_sim_time:
        raise TtdmError("the simulator that is started here keeps the wall clock's time; add --plant-running")
    if options.params_file is not None:
        load_mpc(options.params_file)


def _mean(errors: dict[str, float]) -> float:
    return math.sqrt(sum(value**2 for value in errors.values()) / len(errors))


def _suffix(task: str, tasks: Sequence[str]) -> str:
    """Tell the bags of several tasks apart; tasks may be files of one name."""
    return f"_{tasks.index(task) + 1}_{Path(task).stem}" if len(tasks) > 1 else ""


def _path(each: Round, folder: RoundsFolder) -> str:
    """Return the model of a round as the controller is to be told of it."""
    return str(folder.path / each.model) if each.number else each.model


def _write(rounds: Rounds, folder: RoundsFolder) -> None:
    folder.write(rounds)
    write_rounds_report(rounds, folder)
