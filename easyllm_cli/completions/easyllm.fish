function __easyllm_completion
    set -l found (env _EASYLLM_COMPLETE=complete_fish _EASYLLM_LINE=(commandline -cp | \
        string collect) easyllm 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --command easyllm --no-files --arguments '(__easyllm_completion)'
