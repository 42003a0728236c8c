namespace Akvam.Cli;

/// <summary>The exit codes of the commands. A debug exit gives the guest's own code.</summary>
internal static class ExitCode
{
    /// <summary>The guest switched itself off, or the user left.</summary>
    public const int Success = 0;

    /// <summary>Something could not be done.</summary>
    public const int Error = 1;

    /// <summary>The command line makes no sense.</summary>
    public const int Usage = 2;

    /// <summary>A processor of the guest shut down.</summary>
    public const int Shutdown = 3;

    /// <summary>Added to the number of a signal that ended the process, as shells do.</summary>
    public const int SignalBase = 128;
}
