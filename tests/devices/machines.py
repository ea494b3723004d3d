"""Somebody else's machines: their files below a root, as far as the readers look.

Written from the kernel's documentation of each file and from what such machines are known to print.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

Files = Mapping[str, str]
Machine = Callable[..., Path]

CPUS = "sys/devices/system/cpu"
ZONES = "sys/class/thermal"
RASPBERRY_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"


def _processors(count: int, files: Files) -> dict[str, str]:
    return {f"{CPUS}/cpu{n}/{name}": text.replace("{n}", str(n)) for n in range(count) for name, text in files.items()}


def _stat(processors: int, steal: int = 0) -> str:
    each = "\n".join(f"cpu{n} 50 0 50 850 0 0 0 0 0 0" for n in range(processors))
    return f"cpu  {50 * processors} 0 {50 * processors} {850 * processors} 0 0 0 {steal} 0 0\n{each}\nintr 1 2 3\n"


INTEL_LAPTOP: Files = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: 11th Gen Intel(R) Core(TM) i7-1165G7\nflags\t\t: fpu avx2\n",
    "proc/meminfo": "MemTotal: 16000000 kB\nMemFree: 900000 kB\nMemAvailable: 1000000 kB\n"
    "SwapTotal: 4000000 kB\nSwapFree: 2000000 kB\n",
    "proc/stat": _stat(4),
    "proc/pressure/memory": "some avg10=3.50 avg60=1.00 avg300=0.10 total=2500000\n"
    "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
    "proc/self/cgroup": "0::/user.slice/user-1000.slice/session-2.scope\n",
    "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
    **_processors(
        4,
        {
            "cpufreq/scaling_cur_freq": "2100000\n",
            "cpufreq/scaling_max_freq": "4700000\n",
            "cpufreq/cpuinfo_min_freq": "400000\n",
            "cpufreq/cpuinfo_max_freq": "4700000\n",
            "cpufreq/scaling_governor": "powersave\n",
            "cpufreq/scaling_driver": "intel_pstate\n",
            "cpufreq/energy_performance_preference": "balance_power\n",
            "thermal_throttle/core_throttle_count": "3\n",
        },
    ),
    f"{CPUS}/cpu0/topology/thread_siblings_list": "0,2\n",
    f"{CPUS}/cpu1/topology/thread_siblings_list": "1,3\n",
    f"{CPUS}/cpu2/topology/thread_siblings_list": "0,2\n",
    f"{CPUS}/cpu3/topology/thread_siblings_list": "1,3\n",
    f"{CPUS}/smt/active": "1\n",
    f"{CPUS}/intel_pstate/no_turbo": "0\n",
    "sys/firmware/acpi/platform_profile": "balanced\n",
    f"{ZONES}/thermal_zone0/temp": "95000\n",
    f"{ZONES}/thermal_zone0/trip_point_0_type": "passive\n",
    f"{ZONES}/thermal_zone0/trip_point_0_temp": "97000\n",
    f"{ZONES}/thermal_zone0/trip_point_1_type": "critical\n",
    f"{ZONES}/thermal_zone0/trip_point_1_temp": "103000\n",
    f"{ZONES}/thermal_zone0/trip_point_2_type": "active\n",
    f"{ZONES}/thermal_zone0/trip_point_2_temp": "60000\n",
    f"{ZONES}/cooling_device0/type": "Processor\n",
    f"{ZONES}/cooling_device0/cur_state": "0\n",
    f"{ZONES}/cooling_device1/type": "Fan\n",
    f"{ZONES}/cooling_device1/cur_state": "1\n",
    "sys/class/power_supply/AC/type": "Mains\n",
    "sys/class/power_supply/AC/online": "0\n",
    "sys/class/power_supply/BAT0/type": "Battery\n",
    "sys/class/power_supply/BAT0/status": "Discharging\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
}

AMD_DESKTOP: Files = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: AMD Ryzen 9 7950X\nflags\t\t: fpu avx512f\n",
    "proc/meminfo": "MemTotal: 64000000 kB\nMemAvailable: 50000000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
    "proc/stat": _stat(2),
    **_processors(
        2,
        {
            "cpufreq/scaling_cur_freq": "4500000\n",
            "cpufreq/scaling_max_freq": "5881000\n",
            "cpufreq/cpuinfo_max_freq": "5881000\n",
            "cpufreq/scaling_governor": "performance\n",
            "cpufreq/scaling_driver": "amd-pstate-epp\n",
            "cpufreq/energy_performance_preference": "performance\n",
        },
    ),
    f"{CPUS}/cpufreq/boost": "1\n",
    f"{CPUS}/smt/active": "0\n",
    "sys/class/hwmon/hwmon0/name": "nvme\n",
    "sys/class/hwmon/hwmon0/temp1_input": "71850\n",
    "sys/class/hwmon/hwmon1/name": "k10temp\n",
    "sys/class/hwmon/hwmon1/temp1_input": "55125\n",
    "sys/class/power_supply/hidpp_battery_0/type": "Battery\n",
    "sys/class/power_supply/hidpp_battery_0/scope": "Device\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet\n",
}

RASPBERRY_PI: Files = {
    "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n",
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/meminfo": "MemTotal: 3884000 kB\nMemAvailable: 3400000 kB\n",
    "proc/stat": _stat(4),
    f"{CPUS}/cpu0/cpufreq/scaling_cur_freq": "600000\n",
    f"{CPUS}/cpu0/cpufreq/scaling_max_freq": "1500000\n",
    f"{CPUS}/cpu0/cpufreq/cpuinfo_max_freq": "1500000\n",
    f"{CPUS}/cpu0/cpufreq/scaling_governor": "ondemand\n",
    RASPBERRY_THROTTLED: "50005\n",
    f"{ZONES}/thermal_zone0/temp": "61835\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "arch_sys_counter\n",
}

JETSON: Files = {
    "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x4e\n",
    "proc/device-tree/model": "Jetson-AGX\0",
    "proc/stat": _stat(8),
    f"{CPUS}/cpu0/cpufreq/scaling_cur_freq": "1190400\n",
    f"{CPUS}/cpu0/cpufreq/scaling_max_freq": "1190400\n",
    f"{CPUS}/cpu0/cpufreq/cpuinfo_max_freq": "2265600\n",
    f"{CPUS}/cpu0/cpufreq/scaling_governor": "schedutil\n",
    "var/lib/nvpmodel/status": "pmode:0002\n",
    "etc/nvpmodel.conf": "# < POWER_MODEL ID=9 NAME=OLD >\n< POWER_MODEL ID=0 NAME=MAXN >\nCPU_ONLINE CORE_0 1\n"
    "< POWER_MODEL ID=2 NAME=MODE_15W >\n",
    f"{ZONES}/thermal_zone0/type": "CPU-therm\n",
    f"{ZONES}/thermal_zone0/temp": "36500\n",
    f"{ZONES}/thermal_zone1/type": "GPU-therm\n",
    f"{ZONES}/thermal_zone1/temp": "41000\n",
    f"{ZONES}/thermal_zone1/trip_point_0_type": "critical\n",
    f"{ZONES}/thermal_zone1/trip_point_0_temp": "96500\n",
    f"{ZONES}/cooling_device0/type": "thermal-cpufreq-0\n",
    f"{ZONES}/cooling_device0/cur_state": "2\n",
    f"{ZONES}/cooling_device1/type": "pwm-fan\n",
    f"{ZONES}/cooling_device1/cur_state": "3\n",
}

VIRTUAL_MACHINE: Files = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu hypervisor avx2\n",
    "proc/stat": _stat(2, steal=250),
    "proc/pressure/cpu": "some avg10=0.28 avg60=0.69 avg300=0.23 total=2204374563\n",
    "proc/self/cgroup": "5:devices:/\n1:cpu:/docker/abc\n0::/\n",
    "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "150000\n",
    "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpu/cpu.stat": "nr_periods 9\nnr_throttled 4\nthrottled_time 12\n",
}
