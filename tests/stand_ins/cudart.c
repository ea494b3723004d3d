/* A stand-in for CUDA's runtime library: memory of the host, and a clock that moves 1 ms with each launch of a graph.
 *
 * CUDART_DEVICES sets how many devices there are (1); with -1 there is no driver. CUDART_FAULT names a function that
 * fails. cudart_live tells how many objects and allocations were not released.
 */
#include <stdlib.h>
#include <string.h>

static float now_ms = 0.0f;
static int live = 0;
static int capturing = 0;

static int fails(const char *name)
{
    const char *fault = getenv("CUDART_FAULT");
    return fault != NULL && strcmp(fault, name) == 0 ? 719 : 0;
}

static int make(void **object, size_t bytes)
{
    *object = calloc(1, bytes > 8 ? bytes : 8);
    live += 1;
    return 0;
}

static int release(void *object)
{
    free(object);
    live -= 1;
    return 0;
}

int cudart_live(void) { return live; }
void cudart_wait(float ms) { now_ms += ms; }
const char *cudaGetErrorString(int status) { return status == 35 ? "no driver" : "unspecified launch failure"; }

int cudaGetDeviceCount(int *count)
{
    const char *devices = getenv("CUDART_DEVICES");
    *count = devices == NULL ? 1 : atoi(devices);
    return *count < 0 ? 35 : 0;
}

int cudaGetDevice(int *device) { *device = 0; return 0; }
int cudaDeviceGetAttribute(int *value, int attribute, int device)
{
    *value = attribute == 38 && device == 0 ? 524288 : 0;
    return 0;
}

int cudaMalloc(void **address, size_t bytes) { return fails("cudaMalloc") ? 2 : make(address, bytes); }
int cudaFree(void *address) { return release(address); }
int cudaMemcpy(void *target, const void *source, size_t bytes, int kind)
{
    memcpy(target, source, bytes);
    return kind == 1 ? 0 : 21;
}
int cudaMemsetAsync(void *address, int value, size_t bytes, void *stream)
{
    memset(address, value, bytes);
    return stream == NULL ? 400 : 0;
}

int cudaStreamCreate(void **stream) { return fails("cudaStreamCreate") ? 719 : make(stream, 8); }
int cudaStreamDestroy(void *stream) { return release(stream); }
int cudaStreamSynchronize(void *stream) { return stream == NULL ? 400 : fails("cudaStreamSynchronize"); }

int cudaEventCreate(void **event) { return make(event, 8); }
int cudaEventDestroy(void *event) { return release(event); }
int cudaEventRecord(void *event, void *stream) { *(float *)event = now_ms; return stream == NULL ? 400 : 0; }
int cudaEventSynchronize(void *event) { return event == NULL ? 400 : 0; }
int cudaEventElapsedTime(float *ms, void *start, void *end) { *ms = *(float *)end - *(float *)start; return 0; }

int cudaStreamBeginCapture(void *stream, int mode)
{
    capturing = 1;
    return stream == NULL || mode != 1 ? 400 : 0;
}
int cudaStreamEndCapture(void *stream, void **graph)
{
    int was = capturing;
    capturing = 0;
    return was && stream != NULL ? make(graph, 8) : 401;
}
#ifdef OLD
int cudaGraphInstantiate(void **executable, void *graph, void **node, char *log, size_t bytes)
{
    return graph != NULL && node == NULL && log == NULL && bytes == 0 ? make(executable, 8) : 1;
}
#else
int cudaGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long flags)
{
    return graph != NULL && flags == 0 ? make(executable, 8) : 1;
}
#endif
int cudaGraphDestroy(void *graph) { return release(graph); }
int cudaGraphExecDestroy(void *executable) { return release(executable); }
int cudaGraphLaunch(void *executable, void *stream)
{
    now_ms += 1.0f;
    return executable == NULL || stream == NULL ? 400 : fails("cudaGraphLaunch");
}
