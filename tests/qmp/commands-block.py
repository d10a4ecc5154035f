"""commands-block.py: jobs, disks, lines of characters and networks over QMP. Cases for test-commands-block.sh."""
import sys

import server
from server import case, with_machine

server.CASES.clear()


def refused(client, command, **arguments):
    """The error's class and what it says."""
    error = client.refused({"execute": command, "arguments": arguments})
    return error["class"], error["desc"]


# --- jobs -------------------------------------------------------------------------------------------------------------

@case("there are no jobs at first, and a verb for one that is not there says which there are")
@with_machine()
def _(machine):
    client = machine.client()
    assert client.ask("query-jobs") == []
    for verb in ("pause", "resume", "cancel", "complete", "finalize", "dismiss"):
        assert refused(client, "job-" + verb, id="x") == ("GenericError", "there is no job 'x' (jobs: none)")


sys.exit(server.main())
