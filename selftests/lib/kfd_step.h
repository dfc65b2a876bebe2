/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Steps of a process that is no test itself, so that it cannot say what failed.
 */
#ifndef KFD_STEP_H
#define KFD_STEP_H

#include <errno.h>

/* What the first that fails says is returned; (sc)->step is its line, the innermost. */
#define STEP(sc, call) \
	do { \
		int _ret = (call); \
		if (_ret) { \
			if (!(sc)->step) \
				(sc)->step = __LINE__; \
			return _ret; \
		} \
	} while (0)

#define STEP_ERR(sc, err, call)	STEP(sc, (call) == -(err) ? 0 : -EILSEQ)

#endif
