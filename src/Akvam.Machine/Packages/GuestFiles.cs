namespace Akvam.Machine.Packages;

/// <summary>The files <c>akvam boot</c> starts from.</summary>
/// <param name="Kernel">The path of a Linux kernel.</param>
/// <param name="Busybox">The path of a static busybox.</param>
public sealed record GuestFiles(string Kernel, string Busybox);
