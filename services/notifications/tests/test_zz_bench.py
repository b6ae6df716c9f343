import importlib.util, sys, time, pytest
from pathlib import Path
spec = importlib.util.spec_from_file_location("tsender", Path(__file__).with_name("test_sender.py"))
m = importlib.util.module_from_spec(spec); sys.modules["tsender"]=m; spec.loader.exec_module(m)
world = m.world
@pytest.mark.server
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_bench(world, threads):
    N=3000
    for i in range(0,N,500):
        world.campaign([f"c{i+j}@customers.example" for j in range(500)])
    world.environment["SENDER_THREADS_MARKETING_EMAIL"]=str(threads)
    world.sender()
    while not world.mails(): time.sleep(0.01)
    t0=time.monotonic(); n0=len(world.mails())
    time.sleep(2)
    world.reminders(["x@rapport.example"]); r0=time.monotonic()
    while world.statuses("email")!={"sent":1}: time.sleep(0.01)
    print(f"BENCH reminder in {time.monotonic()-r0:.3f}s, waiting {world.statuses('marketing_email')}")
    while not world.settled("marketing_email"): time.sleep(0.05)
    dt=time.monotonic()-t0
    print(f"BENCH threads={threads} {(N-n0)/dt:.0f} mails/s", world.statuses("marketing_email"))
@pytest.mark.server
def test_sms(world):
    world.campaign([f"+8210987{i:04d}" for i in range(1000)], channel="sms")
    world.sender()
    while not world.texts(): time.sleep(0.01)
    t0=time.monotonic()
    while not world.settled("marketing_sms"): time.sleep(0.05)
    dt=time.monotonic()-t0
    print(f"BENCH sms {1000/dt:.0f}/s", world.statuses("marketing_sms"))
