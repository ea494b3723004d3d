"""The agent: answers what ``agent.protocol`` lists, until its standard input ends."""

import json
import os
import platform
import pwd
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Callable, Dict, Optional

from agent import PROTOCOL
from agent.answers import take_output
from agent.bench import PYTHON, Bench
from agent.files import text
from agent.janitor import Janitor
from agent.lock import DeviceLock, lock_file
from agent.processes import MARK, ProcessName, kill, kill_marked, mark, process_name
from agent.protocol import BEAT_S
from agent.standard_input import Requests
from agent.store import ModelStore
from agent.work_folder import FolderError, discard, folder_errors
from agent.worker_process import DiedError, HungError, WorkerProcess

_PATIENCE_TO_LOOK_S = 120.0
"""How long it may take to find out what a device has; runtimes are imported for it."""

_FULL_WORDS = "No space left on device"

_NAME_BYTES = 128
"""Room for the name of the agent in its work folder."""

_LEAST_FREE_BYTES = 1 << 20
"""With less, whatever failed may have failed for want of room."""


def main() -> None:
    """Serve the host, as the bootstrap asks for it on the command line."""
    settings = json.loads(sys.argv[1])
    os.set_inheritable(settings["handle"], False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the host, which then says bye.
    answers = Answers(take_output())
    name = process_name(os.getpid())
    assert name is not None
    folder = Path(settings["folder"])
    try:
        with folder_errors(folder):
            _take_over(settings["handle"], folder, name)
    except FolderError as error:
        discard(folder)
        answers.refuse(error.kind, str(error))
        return
    Server(settings, name, answers).serve()


class Answers:
    """Lines to the host, from two threads: answers, and signs of life.

    Args:
        output: where to.
    """

    def __init__(self, output: IO[str]) -> None:
        self._output = output
        self._one_at_a_time = threading.Lock()
        self._started_s = time.monotonic()

    def send(self, values: Dict[str, Any]) -> None:
        """Send one line. Ends this process when nobody reads it: the janitor knows what to do."""
        with self._one_at_a_time:
            try:
                self._output.write(json.dumps(values) + "\n")
                self._output.flush()
            except OSError:
                os._exit(1)

    def refuse(self, kind: str, words: str) -> None:
        """Say why there will be no answers."""
        self.send({"refused": {"kind": kind, "words": words}})

    def beat(self) -> None:
        """Give signs of life from now on, in a thread of their own."""
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        while True:
            self.send({"beat": round(time.monotonic() - self._started_s, 1)})
            time.sleep(BEAT_S)


class Server:
    """The agent of a run, in a work folder that is its own.

    Args:
        settings: the header, and ``folder`` and ``handle`` as the bootstrap adds them.
        name: this process.
        answers: to the host.
    """

    def __init__(self, settings: Dict[str, Any], name: ProcessName, answers: Answers) -> None:
        self._settings, self._answers = settings, answers
        self._folder = Path(settings["folder"])
        self._mark = mark(self._folder, name)
        lock = lock_file(settings["base"])
        self._janitor = Janitor(self._folder, settings["handle"], settings["grace_s"], lock, self._mark)
        self._lock = DeviceLock(lock)
        self._store = ModelStore(self._folder / "models")
        self._bench = Bench(self._folder / "scratch", self._mark)
        self._kept = KeptAnswer(self._folder / "answer")
        self._requests = Requests(sys.stdin.fileno(), lambda: kill_marked(self._mark))
        self._answers.beat()

    def serve(self) -> None:
        """Take the device, greet, and answer until standard input ends."""
        refused = self._take_device()
        if refused is not None:
            self._leave()
            self._answers.send({"refused": refused})
            return
        self._answers.send({"hello": self._introduction()})
        with suppress(EOFError):
            for request in self._requests:
                if request["do"] == "bye":
                    self._leave()
                    self._answers.send({"id": request["id"], "bye": True})
                    return
                self._answer(request)
        self._bench.close()
        self._lock.release()

    def _take_device(self) -> Optional[Dict[str, Any]]:
        """Why the device is not to be had; None when it is."""
        holder = {"user": _user(), "run": self._settings["run"], "pid": os.getpid(), "from": _origin()}
        try:
            busy = self._lock.take(holder, self._settings["wait_s"], lambda: self._requests.ends)
        except FolderError as error:
            return {"kind": error.kind, "words": str(error)}
        return {"kind": "busy", "words": busy} if busy else None

    def _introduction(self) -> Dict[str, Any]:
        return {
            "protocol": PROTOCOL,
            "python": platform.python_version(),
            "pid": os.getpid(),
            "boot": _boot(),
            "folder": str(self._folder),
            "free_bytes": self._store.free_bytes(),
        }

    def _leave(self) -> None:
        """Leave nothing behind."""
        self._bench.close()
        kill_marked(self._mark)  # What a worker started while it was killed.
        discard(self._folder)
        self._lock.release()
        self._janitor.dismiss()

    def _answer(self, request: Dict[str, Any]) -> None:
        does: Dict[str, Callable[[Dict[str, Any]], Dict[str, Any]]] = {
            "open": self._open,
            "lacks": self._lacks,
            "store": self._put,
            "drop": self._drop,
            "measure": self._measure,
            "state": self._look,
        }
        answer = does[request["do"]](request)
        # What was interrupted failed for that, and must not pass for an answer.
        if not self._requests.ends:
            if "token" in request and ("burst" in answer or "failure" in answer):
                self._kept.keep(request["token"], answer)
            self._answers.send(dict(answer, id=request["id"]))

    def _open(self, request: Dict[str, Any]) -> Dict[str, Any]:
        return self._bench.open(request["runtime"], request["threads"], request["options"])

    def _lacks(self, request: Dict[str, Any]) -> Dict[str, Any]:
        return {"lacks": self._store.lacks(request["models"])}

    def _put(self, request: Dict[str, Any]) -> Dict[str, Any]:
        failed = self._store.put(request["model"], request["bytes"], self._requests.payload)
        return {"stored": request["model"]} if failed is None else {"failed": failed}

    def _drop(self, request: Dict[str, Any]) -> Dict[str, Any]:
        dropped = self._store.drop(request["bytes"], set(request["keep"]))
        return {"dropped": dropped, "free_bytes": self._store.free_bytes()}

    def _measure(self, request: Dict[str, Any]) -> Dict[str, Any]:
        kept = self._kept.find(request["token"])
        if kept is not None:
            return kept
        sentinel = request["sentinel"]
        models = [request["model"]] + ([] if sentinel is None else [sentinel["model"]])
        lacks = self._store.lacks({model["digest"] for model in models})
        if lacks:
            return {"lacks": lacks}
        model, *rest = map(self._placed, models)
        beside = {"model": rest[0], "usual_s": sentinel["usual_s"]} if rest else None
        answer = self._bench.measure({"model": model, "plan": request["plan"], "sentinel": beside})
        free_bytes = self._store.free_bytes()
        if "failure" in answer and (free_bytes < _LEAST_FREE_BYTES or _FULL_WORDS in answer["failure"]["reason"]):
            self._bench.close()  # It may lack a file that it could not write.
            return {"failed": _disk_full(answer["failure"]["reason"], free_bytes)}
        return answer

    def _placed(self, model: Dict[str, Any]) -> Dict[str, Any]:
        """A model as ``agent.worker`` takes it: with the path of its file."""
        known = {name: value for name, value in model.items() if name != "digest"}
        return dict(known, path=str(self._store.use(model["digest"])))

    def _look(self, request: Dict[str, Any]) -> Dict[str, Any]:
        """What this device is and has, from a process of its own: a runtime that is asked may crash."""
        process = WorkerProcess([PYTHON, "-m", "agent.inventory"], env=dict(os.environ, **{MARK: self._mark}))
        try:
            return process.ask({}, _PATIENCE_TO_LOOK_S)
        except (HungError, DiedError) as error:
            return {"failed": {"kind": "state", "words": str(error), "free_bytes": self._store.free_bytes()}}
        finally:
            process.kill()


class KeptAnswer:
    """The last answer to a measurement, for a host that did not get it.

    Args:
        path: the file it is kept in.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, token: str, answer: Dict[str, Any]) -> None:
        """Keep an answer in place of the one before. On a full disk none is kept, and it is measured once more."""
        unfinished = self._path.with_suffix(".new")
        with suppress(OSError):
            unfinished.write_text(json.dumps({"token": token, "answer": answer}), encoding="utf-8")
            unfinished.replace(self._path)

    def find(self, token: str) -> Optional[Dict[str, Any]]:
        """The answer to that token; None when it was never given."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        answer: Dict[str, Any] = kept["answer"]
        return answer if kept["token"] == token else None


def _take_over(handle: int, folder: Path, name: ProcessName) -> None:
    """End the agent that this run had before, and what it started; its connection may look alive for hours."""
    pid, started, boot = (os.pread(handle, _NAME_BYTES, 0).decode().split() + [""] * 3)[:3]
    # Of one length: where an earlier agent wrote its name, there is room for this one on a full disk.
    os.pwrite(handle, f"{name.pid} {name.started} {_boot()}".ljust(_NAME_BYTES).encode(), 0)
    if boot == _boot():
        kill(ProcessName(int(pid), int(started)))
    kill_marked(mark(folder))


def _boot() -> str:
    """What the kernel calls the time since it started; another one after each start (random(4))."""
    return text("/proc/sys/kernel/random/boot_id") or "unknown"


def _disk_full(words: str, free_bytes: int) -> Dict[str, Any]:
    return {"kind": "disk full", "words": words, "free_bytes": free_bytes}


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _origin() -> str:
    """Where the host is, as sshd tells it (``SSH_CONNECTION`` of ssh(1))."""
    found = os.environ.get("SSH_CONNECTION", "").split()
    return found[0] if found else "the device itself"
