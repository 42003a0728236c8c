namespace Akvam.Machine.Loading;

/// <summary>What goes with a Linux kernel.</summary>
/// <param name="CommandLine">The kernel's command line.</param>
/// <param name="Initrd">The initial RAM disk, or null.</param>
/// <param name="RsdpAddress">Where the ACPI root pointer lies, or 0 to leave the search to the kernel.</param>
/// <param name="Seed">Random bytes for the kernel's generator, passed as setup data; may be empty.</param>
/// <param name="Prefer32BitEntry">Enter in 32-bit mode even if the kernel has a 64-bit entry.</param>
public sealed record LinuxBoot(string CommandLine, byte[]? Initrd = null, ulong RsdpAddress = 0, byte[]? Seed = null, bool Prefer32BitEntry = false);
