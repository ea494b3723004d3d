"""Boards as folders and as printed lines: Jetsons of three generations, and a Raspberry Pi.

Names of files and lines follow NVIDIA's developer guides, the kernel's documentation and what owners published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

Files = Mapping[str, str]

CPUS = "sys/devices/system/cpu"
ZONES = "sys/class/thermal"
HWMON = "sys/class/hwmon"


def build(root: Path, *parts: Files) -> str:
    """Write files below a root, the later ones over the earlier ones; returns the root as the agent takes it."""
    for name, text in (pair for files in parts for pair in files.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def install(folder: Path, name: str, output: str, status: int = 0) -> Path:
    """Put a program that prints something into a folder, and notes each call in ``NAME.calls`` beside it."""
    program = folder / name
    program.write_text(f"#!/bin/sh\necho \"$@\" >> '{program}.calls'\ncat <<'END'\n{output}\nEND\nexit {status}\n")
    program.chmod(0o755)
    return program


def _processors(numbers: Iterable[int], low_khz: int, high_khz: int) -> dict[str, str]:
    files = {"cur_freq": high_khz, "min_freq": low_khz, "max_freq": high_khz}
    return {f"{CPUS}/cpu{n}/cpufreq/scaling_{name}": f"{khz}\n" for n in numbers for name, khz in files.items()}


def _gpu(folder: str, low_hz: int, high_hz: int, now_hz: int) -> dict[str, str]:
    return {f"{folder}/{name}_freq": f"{hz}\n" for name, hz in (("min", low_hz), ("max", high_hz), ("cur", now_hz))}


def _ina3221(folder: str, *rails: tuple[str, int, int]) -> dict[str, str]:
    """Label, mV and mA of each channel."""
    files = {f"{folder}/name": "ina3221\n", f"{folder}/in7_label": "sum of shunt voltages\n"}
    for channel, (label, millivolts, milliamperes) in enumerate(rails, 1):
        files[f"{folder}/in{channel}_label"] = f"{label}\n"
        files[f"{folder}/in{channel}_input"] = f"{millivolts}\n"
        files[f"{folder}/curr{channel}_input"] = f"{milliamperes}\n"
    return files


def _zones(**millidegrees: int) -> dict[str, str]:
    files = {}
    for number, (name, temperature) in enumerate(millidegrees.items()):
        files[f"{ZONES}/thermal_zone{number}/type"] = name.replace("_", "-") + "\n"
        files[f"{ZONES}/thermal_zone{number}/temp"] = f"{temperature}\n"
    return files


def _cooling(**states: int) -> dict[str, str]:
    files = {}
    for number, (name, state) in enumerate(states.items()):
        files[f"{ZONES}/cooling_device{number}/type"] = name.replace("_", "-") + "\n"
        files[f"{ZONES}/cooling_device{number}/cur_state"] = f"{state}\n"
    return files


AGX_XAVIER: Files = {
    "etc/nv_tegra_release": "# R35 (release), REVISION: 2.1, GCID: 32413640, BOARD: t186ref, EABI: aarch64\n",
    "proc/device-tree/model": "Jetson-AGX\0",
    "proc/device-tree/compatible": "nvidia,p2972-0000\0nvidia,tegra194\0",
    "proc/loadavg": "0.30 0.20 0.10 1/300 4242\n",
    "var/lib/nvpmodel/status": "pmode:0000 fmode:cool\n",
    "etc/nvpmodel.conf": "# comment\n< POWER_MODEL ID=0 NAME=MAXN >\nCPU_ONLINE CORE_0 1\n"
    "< POWER_MODEL ID=1 NAME=MODE_10W >\n< POWER_MODEL ID=2 NAME=MODE_15W >\n",
    **_processors(range(8), 2265600, 2265600),
    **_gpu("sys/class/devfreq/17000000.gv11b", 1377000000, 1377000000, 1377000000),
    **_gpu("sys/class/devfreq/15340000.vic", 1, 2, 1),
    **_ina3221(f"{HWMON}/hwmon3", ("GPU", 19000, 100), ("CPU", 19000, 50), ("SOC", 19000, 120)),
    **_ina3221(f"{HWMON}/hwmon4", ("CV", 19000, 0), ("VDDRQ", 19000, 30), ("SYS5V", 5000, 400)),
    **_zones(CPU_therm=36500, GPU_therm=41000, AUX_therm=36000, PMIC_Die=50000),
    **_cooling(thermal_cpufreq_0=0, thermal_devfreq_0=0, pwm_fan=3),
}
"""Jetson AGX Xavier, JetPack 5.1, in MAXN with jetson_clocks: 1.9 + 0.95 + 2.28 + 0 + 0.57 + 2.0 = 7.7 W."""

_NANO_POWER = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"

NANO: Files = {
    "etc/nv_tegra_release": "# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t210ref, EABI: aarch64\n",
    "proc/device-tree/model": "NVIDIA Jetson Nano Developer Kit\0",
    "proc/device-tree/compatible": "nvidia,p3450-0000\0nvidia,tegra210\0",
    **_processors(range(4), 102000, 1479000),
    **_gpu("sys/devices/gpu.0/devfreq/57000000.gpu", 76800000, 921600000, 76800000),
    f"{_NANO_POWER}/rail_name_0": "POM_5V_IN\n",
    f"{_NANO_POWER}/in_power0_input": "2056\n",
    f"{_NANO_POWER}/rail_name_1": "POM_5V_GPU\n",
    f"{_NANO_POWER}/in_power1_input": "40\n",
    f"{_NANO_POWER}/rail_name_2": "POM_5V_CPU\n",
    f"{_NANO_POWER}/in_power2_input": "161\n",
    **_zones(AO_therm=41500, CPU_therm=34000, GPU_therm=31000, PLL_therm=31500, PMIC_Die=100000),
}
"""Jetson Nano, JetPack 4.6, as it comes: clocks follow the load, no mode was ever chosen. 2.056 W flow into it."""

AGX_ORIN: Files = {
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n",
    "proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0",
    "proc/device-tree/compatible": "nvidia,p3737-0000+p3701-0000\0nvidia,p3701-0000\0nvidia,tegra234\0",
    "var/lib/nvpmodel/status": "pmode:0002\n",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=1 NAME=MODE_15W >\n"
    "< POWER_MODEL ID=2 NAME=MODE_30W >\n",
    **_processors(range(12), 729600, 1728000),
    **_gpu("sys/class/devfreq/17000000.gpu", 306000000, 612000000, 306000000),
    **_ina3221(f"{HWMON}/hwmon3", ("VDD_GPU_SOC", 843, 2000), ("VDD_CPU_CV", 780, 1000), ("VIN_SYS_5V0", 5000, 800)),
    **_ina3221(f"{HWMON}/hwmon4", ("NC", 0, 0), ("VDDQ_VDD2_1V8AO", 1800, 300), ("NC", 0, 0)),
    f"{HWMON}/hwmon5/name": "soctherm_oc\n",
    f"{HWMON}/hwmon5/oc1_event_cnt": "0\n",
    f"{HWMON}/hwmon5/oc2_event_cnt": "15\n",
    f"{HWMON}/hwmon5/oc3_event_cnt": "37\n",
    **_zones(cpu_thermal=51700, gpu_thermal=48500, cv0_thermal=-256000),
    **_cooling(cpufreq_cpu0=0, devfreq_17000000=0, pwm_fan=2, gpu_throttle_alert=0, hot_surface_alert=1),
}
"""Jetson AGX Orin, JetPack 6, in MODE_30W: 1.686 + 0.78 + 4.0 W, of which the memory is a part."""

RASPBERRY_PI_5: Files = {
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
    **_processors(range(4), 1500000, 2400000),
    f"{HWMON}/hwmon0/name": "cpu_thermal\n",
    f"{HWMON}/hwmon1/name": "rpi_volt\n",
    f"{HWMON}/hwmon1/in0_lcrit_alarm": "0\n",
    f"{ZONES}/thermal_zone0/type": "cpu-thermal\n",
    f"{ZONES}/thermal_zone0/temp": "48312\n",
}

NVPMODEL_QUERY = "NVPM WARN: fan mode is not set!\nNV Power Mode: MODE_15W\n2"

NVPMODEL_MODES = """\
NVPM VERB: PM_CONFIG: DEFAULT=MODE_15W(2)
NVPM VERB: PARAM TYPE=FILE NAME=CPU_ONLINE
NVPM VERB: CORE_0 /sys/devices/system/cpu/cpu0/online
NVPM VERB:
NVPM VERB: POWER_MODEL: ID=0 NAME=MAXN
NVPM VERB: CPU_ONLINE CORE_0 1
NVPM VERB: POWER_MODEL: ID=2 NAME=MODE_15W
NVPM VERB: CPU_ONLINE CORE_0 1"""

JETSON_CLOCKS = """\
SOC family:tegra186  Machine:quill
Online CPUs: 0,3-5
CPU Cluster Switching: Disabled
cpu0: Online=1 Governor=schedutil MinFreq=2035200 MaxFreq=2035200 CurrentFreq=2035200 IdleStates: C1=0 c7=0
cpu1: Online=0 Governor=schedutil MinFreq=345600 MaxFreq=2035200 CurrentFreq=1113600 IdleStates: C1=1 c6=1 c7=1
GPU MinFreq=1134750000 MaxFreq=1134750000 CurrentFreq=1134750000
EMC MinFreq=40800000 MaxFreq=1600000000 CurrentFreq=1600000000 FreqOverride=1
Fan: speed=255
NV Power Mode: MAXN"""

TEGRASTATS = {
    "TX1": "RAM 1544/3983MB (lfb 120x4MB) IRAM 0/252kB(lfb 252kB) CPU [1%,4%,off,off]@102 EMC 7%@408 GR3D 0%@76 APE 25 "
    "AO@42.5C CPU@37.5C GPU@39C PLL@37C Tdiode@42.75C PMIC@100C Tboard@42C thermal@38.5C VDD_IN 2532/2698 "
    "VDD_CPU 76/178 VDD_GPU 19/19",
    "TX2": "RAM 2344/7852MB (lfb 1154x4MB) SWAP 0/3926MB (cached 0MB) CPU [1%@345,off,off,1%@346] EMC_FREQ 4%@1600 "
    "GR3D_FREQ 0%@624 APE 150 MTS fg 0% bg 0% PLL@37.5C MCPU@37.5C PMIC@100C Tboard@32C GPU@35C BCPU@37.5C "
    "thermal@36.5C Tdiode@34.25C VDD_SYS_GPU 152/152 VDD_SYS_SOC 687/687 VDD_4V0_WIFI 0/0 VDD_IN 3056/3056 "
    "VDD_SYS_CPU 152/152 VDD_SYS_DDR 883/883",
    "Nano": "RAM 534/3964MB (lfb 98x4MB) SWAP 5/1982MB (cached 1MB) IRAM 0/252kB(lfb 252kB) CPU "
    "[16%@204,9%@204,off,off] EMC_FREQ 0%@204 GR3D_FREQ 0%@76 APE 25 PLL@34C CPU@36.5C iwlwifi@44C PMIC@50C GPU@36C "
    "AO@39.5C thermal@36.25C POM_5V_IN 1022/1022 POM_5V_GPU 0/0 POM_5V_CPU 204/204",
    "Nano without root": "RAM 2020/3964MB (lfb 19x4MB) SWAP 43/1982MB (cached 1MB) CPU [100%@1479,100%@1479] "
    "EMC_FREQ 0% GR3D_FREQ 83% PLL@42C CPU@48C PMIC@100C GPU@46C AO@53.5C thermal@48C "
    "POM_5V_GPU 8791/8742 POM_5V_IN 3075/3086 POM_5V_CPU 3109/3134",
    "AGX Xavier": "RAM 721/31927MB (lfb 7291x4MB) SWAP 0/15963MB (cached 0MB) CPU [2%@1190,0%@1190,off,off] EMC_FREQ "
    "0%@1331 GR3D_FREQ 0%@114 VIC_FREQ 115 APE 150 AUX@36C CPU@36.5C thermal@35.7C AO@35C GPU@36.5C PMIC@100C "
    "GPU 467mW/467mW CPU 467mW/467mW SOC 1245mW/1245mW CV 0mW/0mW VDDRQ 311mW/311mW SYS5V 1482mW/1482mW",
    "AGX Orin": "04-24-2023 00:01:24 RAM 1282/62795MB (lfb 15152x4MB) SWAP 0/31398MB (cached 0MB) CPU [0%@729,0%@729] "
    "EMC_FREQ 0%@2133 GR3D_FREQ 0%@[305,305] VIC_FREQ 729 APE 174 CV0@-256C CPU@42.593C Tboard@32C SOC2@39.343C "
    "GPU@-256C tj@42.593C VDD_GPU_SOC 2399mW/2399mW VDD_CPU_CV 400mW/400mW VIN_SYS_5V0 4032mW/4032mW NC 0mW/0mW "
    "VDDQ_VDD2_1V8AO 301mW/301mW NC 0mW/0mW",
    "Orin Nano": "11-15-2024 08:38:09 RAM 6185/7620MB (lfb 8x2MB) SWAP 851/3810MB (cached 1MB) CPU [15%@729,11%@729] "
    "EMC_FREQ 43%@2133 GR3D_FREQ 63%@[621] NVDEC off NVJPG off VIC off OFA off APE 200 cpu@53.968C soc2@52.437C "
    "gpu@51.5C tj@53.968C soc1@51.656C VDD_IN 12479mW/12479mW VDD_CPU_GPU_CV 4667mW/4667mW VDD_SOC 2817mW/2817mW",
}
"""A line of each generation."""
