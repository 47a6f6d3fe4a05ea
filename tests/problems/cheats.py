"""Programs that try to pass as the function `total` without doing its work."""

LIAR = "class E:\n    def __eq__(self, other): return True\n"
"""Class of objects that equal everything."""

CHEATS = {
    "exit": "import sys; sys.exit(0)",
    "hard exit": "import os; os._exit(0)",
    "exit when called": "def total(xs): raise SystemExit(0)",
    "hard exit when called": "import os\ndef total(xs): os._exit(0)",
    "exit afterwards": "import atexit, os; atexit.register(os._exit, 0)\ndef total(xs): return 0",
    "exit by signal": """
        import os, signal
        signal.signal(signal.SIGALRM, lambda *_: os._exit(0)); signal.setitimer(0, 0.001)
        def total(xs):
            while True: pass
    """,
    "kill": "import os; os.kill(os.getppid(), 9)",
    "two of me": "import os; os.fork()\ndef total(xs): return 0",
    "print": "import sys\nprint('passed'); sys.__stdout__.write('passed'); sys.stdout.flush()\ndef total(xs): return 0",
    "print and leave": "import os; os.write(1, b'passed'); os._exit(0)",
    "write everywhere": """
        import os
        for fd in range(3, 64):
            for text in (b"x", b"passed", b"passed"):
                try: os.write(fd, text)
                except OSError: pass
        def total(xs): return 0
    """,
    "own check": "def check(candidate): pass\ndef total(xs): return 0",
    "equals all": "class E:\n    def __eq__(self, other): return True\ndef total(xs): return E()",
    "number that equals all": "class E(int):\n    def __eq__(self, other): return True\ndef total(xs): return E()",
    "false home": """
        class E:
            __module__, __qualname__ = "builtins", "range"
            def __eq__(self, other): return True
        def total(xs): return E()
    """,
    "false class": """
        class M(type):
            __flags__, __mro__ = 0, (int, object)
            __hash__ = type.__hash__
            def __eq__(self, other): return True
        class E(metaclass=M):
            __class__ = int
            def __eq__(self, other): return True
        def total(xs): return E()
    """,
    "hidden in an object": """
        class E:
            def __eq__(self, other): return True
        class F:
            def __call__(self, x): return E()
        total = F()
    """,
    "false text": "class E(str):\n    def __repr__(self): return '4'\ndef total(xs): return E()",
    "patched builtins": """
        import builtins
        builtins.AssertionError = builtins.compile = builtins.exec = lambda *_: None
        builtins.issubclass = lambda *_: True
        builtins.type = lambda *_: int
        class E:
            def __eq__(self, other): return True
        def total(xs): return E()
    """,
    "patched modules": """
        import json, os
        json.dump = lambda value, file: file.write("[4, 4]")
        os.read = lambda *_: b"passed"
        def total(xs): return 0
    """,
    "main without exec": """
        import __main__
        __main__.exec = __main__.os = lambda *_: None
        def check(candidate): pass
        def total(xs): return 0
    """,
    "main without a guard": """
        import __main__
        __main__._plain = __main__.plain = __main__.guarded = __main__.encode = lambda value, *_, **__: value
        class E:
            def __eq__(self, other): return True
        def total(xs): return E()
    """,
    "globals of callers": """
        import sys
        def spoil():
            frame = sys._getframe()
            while frame:
                if frame.f_globals is not globals():
                    for name in ("exec", "plain", "_plain"): frame.f_globals[name] = lambda value, *_: value
                frame = frame.f_back
        class E:
            def __eq__(self, other): return True
        def check(candidate): pass
        def total(xs): spoil(); return E()
        spoil()
    """,
    "locals of callers": """
        import os, sys
        def search():
            frame = sys._getframe()
            while frame:
                for word in [each for each in frame.f_locals.values() if type(each) is bytes and len(each) == 16]:
                    for fd in range(3, 64):
                        try: os.write(fd, word)
                        except OSError: pass
                frame = frame.f_back
        def total(xs): search(); os._exit(0)
        search()
    """,
    "code of ours": """
        import gc
        for each in getattr(gc, "get_objects", list)():
            if getattr(each, "__name__", "") in ("plain", "_plain"): each.__code__ = (lambda value, *_: value).__code__
        class E:
            def __eq__(self, other): return True
        def total(xs): return E()
    """,
    "hook on ours": """
        import gc, os, sys
        def hook(*_):
            for fd in range(3, 64):
                for word in sys._getframe(1).f_locals.values():
                    try: os.write(fd, word)
                    except (OSError, TypeError): pass
        getattr(sys, "addaudithook", id)(hook)
        getattr(gc, "callbacks", []).append(hook)
        def total(xs): return 0
    """,
    "over the asserts": """
        import sys
        def total(xs):
            def trace(frame, event, argument):
                if event == "line" and frame is caller:
                    try: frame.f_lineno += 1
                    except ValueError: pass
                return trace
            caller = sys._getframe().f_back
            while caller:
                if caller.f_code.co_filename == "tests.py": break
                caller = caller.f_back
            if caller: caller.f_trace = trace
            sys.settrace(trace)
            return 0
    """,
    "pass on what is in pipes": """
        import os, time
        def each(act, *arguments):
            found = []
            for fd in range(3, 64):
                try: found.append(act(fd, *arguments))
                except OSError: pass
            return found
        each(os.write, b"x")
        each(os.set_blocking, False)
        time.sleep(0.05)
        for word in each(os.read, 16): each(os.write, word)
        def total(xs): os._exit(0)
    """,
    "verdict by another descriptor": """
        import os
        for fd in range(3, 64):
            try: os.dup2(fd, 1); print("passed", flush=True)
            except OSError: pass
        os._exit(0)
    """,
    "thread": """
        import builtins, os, sys, threading
        def spoil():
            while True:
                sys.modules["__main__"].exec = builtins.exec = lambda *_: None
                sys.modules["__main__"].check = lambda candidate: None
                os.write(1, b"passed")
        threading.Thread(target=spoil, daemon=True).start()
        def total(xs): return 0
    """,
    "other modules": """
        import sys
        for name in ("os", "json", "types", "_thread", "_queue", "builtins", "__main__"): sys.modules[name] = None
        def check(candidate): pass
        def total(xs): return 0
    """,
    "class for a function": """
        class total:
            def __init__(self, xs): pass
            def __eq__(self, other): return True
    """,
    "any": "from unittest.mock import ANY\ndef total(xs): return ANY",
    "proxy": """
        import weakref
        class E:
            def __eq__(self, other): return True
        e = E()
        def total(xs): return weakref.proxy(e)
    """,
    "view": """
        import types
        class E(dict):
            def __eq__(self, other): return True
        def total(xs): return types.MappingProxyType(E())
    """,
    "patched class": """
        from fractions import Fraction
        Fraction.__eq__ = lambda *_: True
        def total(xs): return Fraction(0)
    """,
    "hooks": "import sys\nsys.excepthook = lambda *_: None\nsys.settrace(lambda *_: None)\ndef total(xs): return 0",
}
