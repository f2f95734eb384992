"""What every test rests on: no signal is ignored, also where the run was started by nohup or in the background."""

import signal
import threading

# Whoever starts a program hands on what is ignored, and so would the programs that tests start and interrupt.
if threading.current_thread() is threading.main_thread():
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)
