namespace Akvam.Cli.Terminal;

/// <summary>What a typed character means.</summary>
internal enum EscapeAction
{
    /// <summary>Nothing yet, or nothing at all.</summary>
    None,

    /// <summary>The character goes to the guest.</summary>
    Send,

    /// <summary>Ctrl-A goes to the guest.</summary>
    SendEscape,

    /// <summary>The machine ends.</summary>
    Quit,

    /// <summary>The state of the processors is shown.</summary>
    Report,

    /// <summary>The keys are shown.</summary>
    Help,
}
