/* job-events.h: what happens to jobs, as events of QMP. */
#ifndef EMU_QMP_JOB_EVENTS_H
#define EMU_QMP_JOB_EVENTS_H

#include "emu/core/job.h"
#include "emu/qmp/events.h"

/* JOB_STATUS_CHANGE, JOB_PROGRESS. */
JobEvents qmp_job_events(QmpEvents *events);

#endif
